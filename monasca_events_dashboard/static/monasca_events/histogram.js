/* Draws the table of a histogram as bars that can be chosen. Everything comes
   from the table, which is what screen readers and keyboards may use as well. */
(function () {
  'use strict';

  var HEIGHT = 140;
  var MARGIN = {top: 6, right: 12, bottom: 24, left: 48};
  /* Times are shown in the zone that was chosen in Horizon, not in the
     browser's: the hands of the clock there, taken as if they were UTC's. */
  function clock(text) {
    return new Date(text.slice(0, 19) + 'Z');
  }

  var ticks = d3.time.format.utc.multi([
    ['%H:%M:%S', function (time) { return time.getUTCSeconds(); }],
    ['%H:%M', function (time) {
      return time.getUTCHours() || time.getUTCMinutes();
    }],
    ['%d %b', function () { return true; }]
  ]);

  /* What stands in the head of a column: its name, and the part of a bar. */
  function columns(section) {
    return Array.prototype.map.call(
      section.querySelectorAll('.me-bars thead th[data-part]'),
      function (head) {
        return {part: head.getAttribute('data-part'),
                label: head.textContent.trim().toLowerCase()};
      });
  }

  function read(section) {
    return Array.prototype.map.call(
      section.querySelectorAll('.me-bars tbody tr'), function (row) {
        var link = row.querySelector('a');
        var numbers = Array.prototype.map.call(
          row.querySelectorAll('td'), function (cell) {
            return Number(cell.getAttribute('data-number'));
          });
        return {
          start: clock(row.getAttribute('data-start')),
          end: clock(row.getAttribute('data-end')),
          count: numbers[0], parts: numbers.slice(1),
          others: numbers[0] - d3.sum(numbers.slice(1)),
          label: row.querySelector('th').textContent.trim(),
          url: link ? link.getAttribute('href') : null
        };
      });
  }

  function Histogram(section) {
    this.section = section;
    this.bars = read(section);
    this.columns = columns(section);
    this.chosen = -1;
    this.status = section.querySelector('.me-chosen');
    this.drawing = section.querySelector('.me-drawing');
    this.svg = d3.select(this.drawing).append('svg')
      /* Not an image: that would hide the keys from who hears the page. */
      .attr('role', 'application').attr('tabindex', 0)
      .attr('aria-labelledby', section.getAttribute('aria-labelledby'))
      .attr('aria-describedby', 'me-chart-help');
    this.listen();
    this.draw();
  }

  /* “2026-11-25 04:00:00: 12 events, 3 errors” */
  Histogram.prototype.sentence = function (bar) {
    var columns = this.columns;
    var words = [bar.count + ' ' + columns[0].label];
    bar.parts.forEach(function (count, index) {
      if (count) { words.push(count + ' ' + columns[index + 1].label); }
    });
    return bar.label + ': ' + words.join(', ');
  };

  Histogram.prototype.choose = function (index) {
    this.chosen = Math.max(0, Math.min(this.bars.length - 1, index));
    this.status.textContent = this.sentence(this.bars[this.chosen]);
    var chosen = this.chosen;
    this.svg.selectAll('g.me-bar').classed('me-on', function (bar, number) {
      return number === chosen;
    });
  };

  Histogram.prototype.go = function () {
    if (this.chosen >= 0 && this.bars[this.chosen].url) {
      window.location.assign(this.bars[this.chosen].url);
    }
  };

  Histogram.prototype.listen = function () {
    var self = this;
    var moves = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10,
                 Home: -Infinity, End: Infinity};
    this.svg.node().addEventListener('keydown', function (pressed) {
      if (moves[pressed.key]) {
        var from = self.chosen < 0 && pressed.key === 'ArrowLeft' ?
          self.bars.length : self.chosen;
        self.choose(from + moves[pressed.key]);
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

  Histogram.prototype.draw = function () {
    var self = this;
    var bars = this.bars;
    var width = this.drawing.clientWidth;
    if (!bars.length || !width) { return; }
    var x = d3.time.scale.utc()
      .domain([bars[0].start, bars[bars.length - 1].end])
      .range([MARGIN.left, width - MARGIN.right]);
    var y = d3.scale.linear()
      .domain([0, d3.max(bars, function (bar) { return bar.count; }) || 1])
      .range([HEIGHT - MARGIN.bottom, MARGIN.top]).nice(4);
    this.svg.attr('width', width).attr('height', HEIGHT)
      .attr('viewBox', '0 0 ' + width + ' ' + HEIGHT);
    this.svg.selectAll('*').remove();
    this.axes(x, y, width);
    var groups = this.svg.selectAll('g.me-bar').data(bars).enter()
      .append('g').attr('class', 'me-bar')
      .on('mouseenter', function (bar, index) { self.choose(index); })
      .on('click', function (bar, index) { self.choose(index); self.go(); });
    groups.append('title').text(function (bar) { return self.sentence(bar); });
    this.columns.slice(1).concat({part: 'others'}).forEach(
      function (column, depth) {
        var size = function (bar) {
          return depth < bar.parts.length ? bar.parts[depth] : bar.others;
        };
        var below = function (bar) { return d3.sum(bar.parts.slice(0, depth)); };
        groups.append('rect').attr('class', 'me-part me-' + column.part)
          .attr('x', function (bar) { return x(bar.start) + 0.5; })
          .attr('width', function (bar) {
            return Math.max(1, x(bar.end) - x(bar.start) - 1);
          })
          .attr('y', function (bar) { return y(below(bar) + size(bar)); })
          .attr('height', function (bar) {
            var height = y(below(bar)) - y(below(bar) + size(bar));
            return size(bar) ? Math.max(1, height) : 0;
          });
      });
    /* A few events beside many must still be seen, and hit. */
    groups.append('rect').attr('class', 'me-reach')
      .attr('x', function (bar) { return x(bar.start); })
      .attr('width', function (bar) { return x(bar.end) - x(bar.start); })
      .attr('y', MARGIN.top).attr('height', HEIGHT - MARGIN.top - MARGIN.bottom);
    if (this.chosen >= 0) { this.choose(this.chosen); }
  };

  Histogram.prototype.axes = function (x, y, width) {
    this.svg.append('g').attr('class', 'me-axis').attr('aria-hidden', true)
      .attr('transform', 'translate(0,' + (HEIGHT - MARGIN.bottom) + ')')
      .call(d3.svg.axis().scale(x).orient('bottom')
        .ticks(Math.max(2, Math.floor(width / 110))).tickFormat(ticks));
    this.svg.append('g').attr('class', 'me-axis').attr('aria-hidden', true)
      .attr('transform', 'translate(' + MARGIN.left + ',0)')
      .call(d3.svg.axis().scale(y).orient('left').ticks(4)
        .tickFormat(d3.format(',d')));
  };

  horizon.addInitFunction(function () {
    document.querySelectorAll('[data-me-histogram]').forEach(
      function (section) { return new Histogram(section); });
  });
}());
