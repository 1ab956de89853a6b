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

  function suggest(form) {
    var input = form.querySelector('[list="me-types"]');
    var list = form.querySelector('#me-types');
    if (!input || !list) { return; }
    input.addEventListener('focus', function () {
      $.getJSON(form.getAttribute('data-me-types')).done(function (found) {
        found.types.forEach(function (name) {
          var option = document.createElement('option');
          option.value = name;
          list.appendChild(option);
        });
      });
    }, {once: true});
  }

  function init() {
    document.querySelectorAll('form.me-filters').forEach(function (form) {
      var select = form.querySelector('select[name="range"]');
      follow(select, Array.prototype.slice.call(
        form.querySelectorAll('[data-me-shown-for]')));
      suggest(form);
    });
  }

  horizon.addInitFunction(init);
}());
