/* What forms of the event panels do in a browser. The pages work without it,
   but for suggestions. */
(function () {
  'use strict';

  /* Shows what belongs to one choice of a select only while that is chosen. */
  function follow(select, parts) {
    function show() {
      parts.forEach(function (part) {
        var wanted = part.getAttribute('data-me-shown-for').split(' ');
        part.hidden = wanted.indexOf(select.value) < 0;
      });
    }
    select.addEventListener('change', show);
    show();
  }

  /* Fills a list of suggestions when the first field that has it is used. */
  function suggest(form, id, url, key) {
    var list = form.querySelector('#' + id);
    var asked = false;
    if (!list || !url) { return; }
    form.addEventListener('focusin', function (focused) {
      if (asked || focused.target.getAttribute('list') !== id) { return; }
      asked = true;
      $.getJSON(url).done(function (found) {
        found[key].forEach(function (name) {
          var option = document.createElement('option');
          option.value = name;
          list.appendChild(option);
        });
      });
    });
  }

  /* Shows one more of what is there to be filled in. */
  function reveal(part) {
    var button = Array.prototype.filter.call(
      part.querySelectorAll('[data-me-reveal]'), function (one) {
        return one.closest('[data-me-reveals]') === part;
      })[0];
    function hidden() {
      return Array.prototype.filter.call(
        part.querySelectorAll('[data-me-more][hidden]'), function (one) {
          return one.parentNode === part;
        });
    }
    button.addEventListener('click', function () {
      var next = hidden()[0];
      next.hidden = false;
      next.querySelector('input, textarea').focus();
      button.hidden = hidden().length === 0;
    });
    button.hidden = hidden().length === 0;
  }

  /* Looks again after a while at what is still going on. */
  function again(part) {
    window.setTimeout(function () { window.location.reload(); },
                      1000 * Number(part.getAttribute('data-me-again')));
  }

  function init() {
    document.querySelectorAll('[data-me-follow]').forEach(function (form) {
      var name = form.getAttribute('data-me-follow');
      follow(form.querySelector('select[name="' + name + '"]'),
             Array.prototype.slice.call(
               form.querySelectorAll('[data-me-shown-for]')));
    });
    document.querySelectorAll('[data-me-types]').forEach(function (form) {
      suggest(form, 'me-types', form.getAttribute('data-me-types'), 'types');
    });
    document.querySelectorAll('[data-me-fields]').forEach(function (form) {
      suggest(form, 'me-fields', form.getAttribute('data-me-fields'), 'names');
    });
    document.querySelectorAll('[data-me-reveals]').forEach(reveal);
    document.querySelectorAll('[data-me-again]').forEach(again);
  }

  horizon.addInitFunction(init);
}());
