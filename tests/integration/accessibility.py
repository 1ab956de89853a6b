# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""What a machine can tell of a page's use without eyes or without a mouse.

After the rules of WCAG 2.1, level AA, that can be computed: names, languages,
references, contrast and the order of the focus.
"""

from tests.integration import browser
from tests.integration.browser import Browser
from tests.integration.browser import Element

_FAULTS = """
const found = [];
const page = document.querySelector('.me-page');
const brief = one => one.outerHTML.slice(0, 100);
if (!document.title.trim()) { found.push('the page has no title'); }
const seen = new Set();
for (const one of document.querySelectorAll('.me-page [id]')) {
  if (seen.has(one.id)) { found.push('twice the id ' + one.id); }
  seen.add(one.id);
}
for (const one of page.querySelectorAll('input, select, textarea')) {
  if (one.type === 'hidden' || one.type === 'submit') { continue; }
  if (!(one.labels && one.labels.length) && !one.getAttribute('aria-label')
      && !one.getAttribute('aria-labelledby')) {
    found.push('no label: ' + brief(one));
  }
}
for (const one of page.querySelectorAll('a, button, summary')) {
  if (!(one.textContent.trim() || one.getAttribute('aria-label')
        || one.title)) {
    found.push('no name: ' + brief(one));
  }
}
for (const one of page.querySelectorAll('img, [role=img], svg[tabindex]')) {
  if (!(one.alt || one.getAttribute('aria-label')
        || one.getAttribute('aria-labelledby'))) {
    found.push('no name of a picture: ' + brief(one));
  }
}
for (const name of ['aria-labelledby', 'aria-describedby', 'for']) {
  for (const one of page.querySelectorAll('[' + name + ']')) {
    for (const id of one.getAttribute(name).split(/\\s+/)) {
      if (id && !document.getElementById(id)) {
        found.push(name + ' means nothing, ' + id + ': ' + brief(one));
      }
    }
  }
}
for (const one of page.querySelectorAll('.me-error[id]')) {
  if (!page.querySelector('[aria-describedby~="' + one.id + '"]')) {
    found.push('no field says that it is wrong: ' + brief(one));
  }
}
for (const one of page.querySelectorAll('table')) {
  if (!one.querySelector('th[scope]')) { found.push('a table of no head'); }
  if (!one.caption) { found.push('a table of no name: ' + brief(one)); }
}
for (const one of page.querySelectorAll('fieldset')) {
  if (!one.querySelector('legend')) {
    found.push('a group of no name: ' + brief(one));
  }
}
for (const one of page.querySelectorAll('[tabindex]')) {
  if (one.tabIndex > 0) { found.push('an order of its own: ' + one.id); }
}
for (const one of page.querySelectorAll('[aria-hidden=true]')) {
  if (one.tabIndex >= 0 || one.querySelector('a, button, input')) {
    found.push('focus where nothing is told: ' + brief(one));
  }
}
let level = 1;
for (const one of page.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
  const next = Number(one.tagName[1]);
  if (next > level + 1) { found.push('a heading too deep: ' + brief(one)); }
  level = next;
}
/* Text against what is behind it. Colours of links and buttons are those of
   Horizon's theme. */
const parse = text => {
  const numbers = (text.match(/[0-9.]+/g) || []).map(Number);
  return {rgb: numbers.slice(0, 3),
          a: numbers.length > 3 ? numbers[3] : 1};
};
const over = (top, below) => top.rgb.map(
  (one, at) => one * top.a + below[at] * (1 - top.a));
const behind = one => {
  if (!one) { return [255, 255, 255]; }
  const colour = parse(getComputedStyle(one).backgroundColor);
  return colour.a === 1 ? colour.rgb : over(colour,
                                            behind(one.parentElement));
};
const luminance = rgb => {
  const [r, g, b] = rgb.map(one => one / 255).map(
    one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const walker = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
const told = new Set();
while (walker.nextNode()) {
  const one = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !one.checkVisibility()
      || one.closest('a, .btn, option, .sr-only, title, [hidden]')) {
    continue;
  }
  const style = getComputedStyle(one);
  const text = one.closest('svg') ? style.fill : style.color;
  const back = behind(one);
  const [light, dark] = [luminance(over(parse(text), back)),
                         luminance(back)].sort((a, b) => b - a);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
  const ratio = (light + 0.05) / (dark + 0.05);
  const key = text + back;
  if (ratio < (large ? 3 : 4.5) && !told.has(key)) {
    told.add(key);
    found.push('contrast ' + ratio.toFixed(1) + ': ' + brief(one));
  }
}
return found;
"""

_REACHABLE = """
return Array.from(document.querySelectorAll(
  '.me-page a[href], .me-page button, .me-page input, .me-page select,'
  + ' .me-page textarea, .me-page summary, .me-page [tabindex]')).filter(
    one => one.tabIndex >= 0 && !one.disabled && one.type !== 'hidden'
      && one.checkVisibility({contentVisibilityAuto: true,
                              visibilityProperty: true}));
"""

#: Whether one can see where the focus is, unlike without it.
_SHOWN = """
const one = arguments[0], names = ['outlineStyle', 'outlineColor',
  'boxShadow', 'borderColor', 'backgroundColor', 'textDecorationLine'];
const look = () => names.map(name => getComputedStyle(one)[name]).join();
const with_ = look();
one.blur();
const without = look();
one.focus();
return with_ !== without;
"""


def faults(window: Browser) -> list[str]:
    """Return sentences of what is wrong with the page that is open."""
    return window.run(_FAULTS)


def keyboard_faults(window: Browser) -> list[str]:
    """Press the tabulator from the first thing of the page to the last one.

    :return: sentences of what is not reached, or in another order than that
        in which it is read, or without a sign that it is
    """
    there = {one.id: one for one in window.run_for_elements(_REACHABLE)}
    wanted = list(there)
    # What comes into view slowly would be looked at too early.
    window.run("document.head.appendChild(document.createElement('style'))"
               ".textContent = '* { transition: none !important; }';")
    window.run("arguments[0].focus();", there[wanted[0]].reference)
    # By keys, as who has no mouse comes to it.
    for keys in (browser.TAB, browser.SHIFT + browser.TAB):
        window.focused.type(keys)
    reached: list[str] = []
    found = []
    # Fields of dates take several.
    for _ in range(len(wanted) * 8):
        one = window.focused
        if one.id not in wanted:
            break
        if not reached or reached[-1] != one.id:
            reached.append(one.id)
            if not window.run(_SHOWN, one.reference):
                found.append(f"nobody sees the focus: {_brief(window, one)}")
        one.type(browser.TAB)
    if reached != wanted:
        found += [f"not reached: {_brief(window, one)}"
                  for ident, one in there.items()
                  if ident not in reached] or ["another order"]
    return found


def _brief(window: Browser, one: Element) -> str:
    return window.run("return arguments[0].outerHTML.slice(0, 100);",
                      one.reference)
