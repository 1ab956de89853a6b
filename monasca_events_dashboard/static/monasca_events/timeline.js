/* Draws the table of a timeline: a lane for each operation, bars for what took
   time, marks for what did not. Everything comes from the table. */
(function () {
  'use strict';

  var LANE = 24;
  var TOP = 8;
  var AXIS = 26;
  var METRIC = 44;
  /* What a bar or a mark ends with, for who does not tell colours apart. */
  var SIGNS = {error: '\u2716', open: '?', running: '\u2026', gone: '\u2205'};

  /* The hands of the clock in Horizon's time zone, as if they were UTC's. */
  function clock(element, name) {
    var text = element.getAttribute('data-' + name);
    return new Date(new Date(text.slice(0, 19) + 'Z').getTime() +
                    Number(text.slice(20, 26)) / 1000);
  }

  var ticks = d3.time.format.utc.multi([
    ['.%L', function (time) { return time.getUTCMilliseconds(); }],
    ['%H:%M:%S', function (time) { return time.getUTCSeconds(); }],
    ['%H:%M', function (time) {
      return time.getUTCHours() || time.getUTCMinutes();
    }],
    ['%d %b', function () { return true; }]
  ]);

  function read(row) {
    var link = row.querySelector('th a');
    var cells = row.querySelectorAll('td, th');
    var get = function (name) { return row.getAttribute('data-' + name); };
    return {
      kind: get('kind'), lane: get('lane') === null ? null : Number(get('lane')),
      state: get('state'), outcome: get('outcome'), level: get('level'),
      start: clock(row, 'start'), end: clock(row, 'end'),
      url: link ? link.getAttribute('href') : null,
      sentence: Array.prototype.map.call(cells, function (cell) {
        return cell.textContent.trim().replace(/\s+/g, ' ');
      }).filter(function (text) { return text; }).join('; ')
    };
  }

  function sign(one) {
    return one.state === 'open' ? SIGNS.open :
      SIGNS[one.outcome] || SIGNS[one.state] || '';
  }

  function Timeline(section) {
    this.section = section;
    this.lanes = Array.prototype.map.call(
      section.querySelectorAll('.me-lanes li'), function (one) {
        return one.textContent;
      });
    this.entries = Array.prototype.map.call(
      section.querySelectorAll('.me-entries tbody tr'), read);
    this.shown = this.entries.filter(function (one) {
      return one.kind !== 'gap';
    });
    this.metrics = Array.prototype.map.call(
      section.querySelectorAll('.me-metric'), function (one) {
        return {
          name: one.querySelector('.me-metric-name').textContent,
          points: Array.prototype.map.call(
            one.querySelectorAll('li'), function (point) {
              return {at: clock(point, 'at'),
                      value: Number(point.getAttribute('data-value'))};
            })
        };
      });
    this.chosen = -1;
    this.status = section.querySelector('.me-chosen');
    this.drawing = section.querySelector('.me-drawing');
    this.svg = d3.select(this.drawing).append('svg')
      /* Not an image: that would hide the keys from who hears the page. */
      .attr('role', 'application').attr('tabindex', 0)
      .attr('aria-labelledby', 'me-timeline-title')
      .attr('aria-describedby', 'me-timeline-help');
    this.listen();
    this.draw();
  }

  Timeline.prototype.choose = function (index) {
    this.chosen = Math.max(0, Math.min(this.shown.length - 1, index));
    var one = this.shown[this.chosen];
    this.status.textContent = one.sentence;
    this.svg.selectAll('.me-thing').classed('me-on', function (other) {
      return other === one;
    });
  };

  Timeline.prototype.go = function () {
    var one = this.shown[this.chosen];
    if (one && one.url) { window.location.assign(one.url); }
  };

  Timeline.prototype.listen = function () {
    var self = this;
    var moves = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1,
                 PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity};
    this.svg.node().addEventListener('keydown', function (pressed) {
      if (moves[pressed.key]) {
        self.choose(self.chosen + moves[pressed.key]);
        pressed.preventDefault();
      } else if (pressed.key === 'Enter') {
        self.go();
      }
    });
    var waiting = null;
    window.addEventListener('resize', function () {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(function () { self.draw(); }, 150);
    });
  };

  Timeline.prototype.draw = function () {
    var width = this.drawing.clientWidth;
    if (!width) { return; }
    /* On a narrow screen names stand above their lanes. */
    var narrow = width < 600;
    var left = narrow ? 8 : Math.min(300, Math.max(140, width / 4));
    var step = narrow ? LANE + 14 : LANE;
    var bottom = TOP + step * this.lanes.length;
    var height = bottom + AXIS + METRIC * this.metrics.length;
    var x = d3.time.scale.utc()
      .domain([clock(this.section, 'start'), clock(this.section, 'end')])
      .range([left + 8, width - 28]);
    var y = function (lane) {
      return TOP + step * lane + (narrow ? 14 : 0);
    };
    this.svg.attr('width', width).attr('height', height)
      .attr('viewBox', '0 0 ' + width + ' ' + height);
    this.svg.selectAll('*').remove();
    this.svg.append('g').attr('class', 'me-axis').attr('aria-hidden', true)
      .attr('transform', 'translate(0,' + bottom + ')')
      .call(d3.svg.axis().scale(x).orient('bottom').tickFormat(ticks)
        .ticks(Math.max(2, Math.floor((width - left) / 110))));
    this.background(x, y, bottom, narrow, left, width);
    this.things(x, y);
    this.curves(x, bottom + AXIS, left);
    if (this.chosen >= 0) { this.choose(this.chosen); }
  };

  Timeline.prototype.background = function (x, y, bottom, narrow, left, width) {
    this.svg.selectAll('rect.me-gap')
      .data(this.entries.filter(function (one) { return one.kind === 'gap'; }))
      .enter().append('rect').attr('class', 'me-gap')
      .attr('x', function (one) { return x(one.start); })
      .attr('width', function (one) {
        return Math.max(1, x(one.end) - x(one.start));
      })
      .attr('y', TOP).attr('height', bottom - TOP)
      .append('title').text(function (one) { return one.sentence; });
    var lanes = this.svg.selectAll('g.me-lane').data(this.lanes).enter()
      .append('g').attr('class', 'me-lane');
    lanes.append('line').attr('x1', left).attr('x2', width)
      .attr('y1', function (name, lane) { return y(lane) + LANE - 2; })
      .attr('y2', function (name, lane) { return y(lane) + LANE - 2; });
    lanes.append('text')
      .attr('x', narrow ? 4 : left).attr('text-anchor', narrow ? 'start' : 'end')
      .attr('y', function (name, lane) {
        return narrow ? y(lane) - 2 : y(lane) + 15;
      })
      .text(function (name) {
        var room = Math.floor((narrow ? width : left) / 6.5);
        return name.length > room ? '\u2026' + name.slice(1 - room) : name;
      })
      .append('title').text(function (name) { return name; });
  };

  Timeline.prototype.things = function (x, y) {
    var self = this;
    var things = this.svg.selectAll('g.me-thing').data(this.shown).enter()
      .append('g').attr('class', function (one) {
        return ['me-thing', 'me-a-' + one.kind, one.state && 'me-' + one.state,
                one.level && 'me-is-' + one.level].filter(Boolean).join(' ');
      })
      .on('mouseenter', function (one, index) { self.choose(index); })
      .on('click', function (one, index) { self.choose(index); self.go(); });
    things.append('title').text(function (one) { return one.sentence; });
    var bars = things.filter(function (one) { return one.kind === 'span'; });
    bars.append('rect')
      .attr('x', function (one) { return x(one.start); })
      .attr('width', function (one) {
        return Math.max(4, x(one.end) - x(one.start));
      })
      .attr('y', function (one) { return y(one.lane) + 4; })
      .attr('height', LANE - 9);
    bars.append('text').attr('class', 'me-sign')
      .attr('x', function (one) {
        return x(one.start) + Math.max(4, x(one.end) - x(one.start)) + 4;
      })
      .attr('y', function (one) { return y(one.lane) + 16; })
      .text(sign);
    things.filter(function (one) { return one.kind !== 'span'; })
      .append('path')
      .attr('transform', function (one) {
        return 'translate(' + x(one.start) + ',' + (y(one.lane) + 11) + ')';
      })
      .attr('d', function (one) {
        return one.kind === 'firing' ? 'M0,-7L6,5L-6,5Z' :
          one.level ? 'M0,-7L6,0L0,7L-6,0Z' :
            one.kind === 'log' ? 'M-2,-6H2V6H-2Z' :
              'M-4,0A4,4 0 1,0 4,0A4,4 0 1,0 -4,0Z';
      });
  };

  /* Metrics below, each with a scale of its own. */
  Timeline.prototype.curves = function (x, top, left) {
    var svg = this.svg;
    var narrow = left <= 20;
    this.metrics.forEach(function (metric, number) {
      var y = d3.scale.linear()
        .domain(d3.extent(metric.points, function (one) { return one.value; }))
        /* On a narrow screen the name stands above the curve. */
        .range([METRIC - 8, narrow ? 18 : 6]);
      var group = svg.append('g').attr('class', 'me-curve')
        .attr('transform', 'translate(0,' + (top + number * METRIC) + ')');
      group.append('text').attr('x', narrow ? 4 : left)
        .attr('y', narrow ? 12 : METRIC / 2)
        .attr('text-anchor', narrow ? 'start' : 'end').text(metric.name);
      group.append('path').attr('d', d3.svg.line()
        .x(function (one) { return x(one.at); })
        .y(function (one) { return y(one.value); })(metric.points));
    });
  };

  horizon.addInitFunction(function () {
    document.querySelectorAll('[data-me-timeline]').forEach(
      function (section) { return new Timeline(section); });
  });
}());
