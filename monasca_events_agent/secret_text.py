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


"""Secrets inside text: by shape, and as ``key=value`` or quoted pairs.

The redactor first asks :func:`hints` about all strings of a payload, which
costs microseconds, and calls :func:`mask` only on those that have one. Both
work on broken input: nothing here needs a parser.
"""

from collections.abc import Callable
from collections.abc import Iterable
import re

try:
    import re2
except ImportError:
    # Every payload is walked then, which is slower and finds the same.
    re2 = None

MASK = "***"

#: Keys that hold a secret when they hold text: a secret's body in a request,
#: while a notification's own payload is an object.
TEXT_ONLY = frozenset(("payload",))

# What a secret looks like by itself. A PEM block without its end, as a log
# or a cut message leaves it, goes to the end of the text.
_SHAPES = re.compile(r"""
    gAAAA[A-Za-z0-9_\-]{20,}={0,2}
  | -----BEGIN\ [A-Z0-9 ]*PRIVATE\ KEY(?:\ BLOCK)?-----
    (?:(?!-----END).)*(?:-----END\ [A-Z0-9 ]*-----)?
  | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
  | (?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{5,}
    \.[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*)?
  | \bgh[pousr]_[A-Za-z0-9]{20,}
  | \bxox[abprs]-[A-Za-z0-9\-]{10,}
""", re.VERBOSE | re.DOTALL)
_USERINFO = re.compile(
    r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.\-]{0,30}://)"
    r"(?:[^/\s\"'@:]*:[^/\s\"'@]+|[^/\s\"'@:]{20,})@")

# A word that names a secret, as keys of secrets inside free text do.
_WORD = (r"(?:passw(?:or)?d|passphrase|secret|token|credentials?|api[_-]?key"
         r"|access[_-]?key|private[_-]?key|signature|(?<![A-Za-z0-9])sig"
         r"|authorization|cookie|admin_?pass|pwd|psk|bearer)")
# Each pattern begins at the word itself, never with a run before it: a text
# made of many such runs would cost its square.
_VALUE = r"""
    (?:\\{0,7}"(?P<double>[^"\\]+)|\\{0,7}'(?P<single>[^'\\]+)
      |(?P<bare>[^\s"'&,;<>{}()\[\]\\]+))
"""
_PAIR = re.compile(
    _WORD + r"[\w\-]{0,24}\s{0,3}[=:]\s{0,3}(?:(?:bearer|basic)\s{1,3})?"
    + _VALUE, re.VERBOSE | re.IGNORECASE)
_OPTION = re.compile(
    r"(?<!\S)--?[\w\-]{0,40}?" + _WORD + r"[\w\-]{0,24}\s{1,3}" + _VALUE,
    re.VERBOSE | re.IGNORECASE)
_BEARER = re.compile(r"\b(?P<head>bearer\s+)[A-Za-z0-9._~+/=\-]{8,}",
                     re.IGNORECASE)
_ELEMENT = re.compile(
    r"(?P<head><(?P<key>[\w:.\-]{1,80})(?:\s[^<>]{0,200})?>)[^<]+(?=<)")

# A quoted key and its colon, at any depth of escaping: "k": , \"k\": , 'k':
_QUOTED_KEY = re.compile(
    r"(?P<mark>[\"'])(?P<key>[^\"'\\]{1,128})(?P<escape>\\{0,15})(?P=mark)"
    r"\s*(?::|=>)\s*")

# Literals without which no pattern can match, in lower case, and what must
# follow them. Searching a literal is fast, an alternation is not.
_AFTER_WORD = r"[a-z0-9_\-]{0,24}[ \t=:>'\"\\]"
_HINTS = tuple(
    (hint, re.compile(re.escape(hint) + after).search)
    for hint, after in (
        ('"', ""), ("':", ""), ("://", r"[^/\s\"'@]*@"),
        ("private key", ""), ("gaaaa", r"[a-z0-9_\-]{20}"),
        ("eyj", r"[a-z0-9_\-]{5}"), ("akia", r"[0-9a-z]{16}"),
        ("asia", r"[0-9a-z]{16}"), ("gh", r"[pousr]_[a-z0-9]{20}"),
        ("xox", r"[abprs]-"), ("pass", _AFTER_WORD), ("secret", _AFTER_WORD),
        ("token", _AFTER_WORD), ("credential", _AFTER_WORD),
        ("key", _AFTER_WORD), ("sig", _AFTER_WORD),
        ("authorization", _AFTER_WORD), ("cookie", _AFTER_WORD),
        ("pwd", _AFTER_WORD), ("psk", _AFTER_WORD), ("bearer", _AFTER_WORD)))


_SHAPED = ("gaaaa", "eyj", "akia", "asia", "gh", "xox", "private key")
_WORDS = tuple(hint for hint, confirm in _HINTS
               if confirm.__self__.pattern.endswith(_AFTER_WORD))


def _scanner() -> Callable[[bytes], list] | None:
    """Return what finds every hint of the bytes of some JSON, in one pass.

    In JSON, a quotation mark inside a text has a backslash before it, as has
    a line break, and a bare one ends a text or a key. Letters match in both
    cases, as Unicode has them. What follows a literal is said more loosely
    than above, so that RE2's automaton stays small.
    """
    if re2 is None:
        return None
    options = re2.Options()
    options.case_sensitive = False
    scanner = re2.Set.SearchSet(options)
    for pattern in (
            r"\\", "':", r"://[^/\s\"'@]*@", "private key",
            r"gaaaa[a-z0-9_\-]{4}", r"eyj[a-z0-9_\-]{4}",
            "akia[0-9a-z]{4}", "asia[0-9a-z]{4}",
            "gh[pousr]_[a-z0-9]{4}", "xox[abprs]-",
            "(?:" + "|".join(_WORDS) + r")[a-z0-9_\-]*[ \t=:>'\\]"):
        scanner.Add(pattern)
    scanner.Compile()
    return scanner.Match


#: Whether there may be a secret in the texts of some JSON, given in UTF-8 with
#: nothing escaped that need not be. True wherever :func:`hints` finds
#: something in them that :func:`mask` would change; and always where RE2 is
#: not installed.
suspicious: Callable[[bytes], object] = _scanner() or (lambda encoded: True)


def hints(texts: Iterable[str]) -> list[str]:
    """Return literals of which a string with a secret has at least one.

    None means that no pattern can match in any of the texts. All of them are
    searched at once, which takes microseconds.
    """
    lower = "\n".join(texts).lower()
    return [hint for hint, confirm in _HINTS
            if hint in lower and confirm(lower)]


def mask(text: str, hides: Callable[[str], bool]) -> str:
    """Return the text with every recognised secret replaced.

    :param hides: says whether a key's value is a secret
    """
    lower = text.lower()
    if "'" in text or '"' in text:
        text = _mask_quoted(text, hides)
    if any(word in lower for word in _WORDS):
        text = _PAIR.sub(_mask_pair, text)
        if "-" in text:
            text = _OPTION.sub(_mask_pair, text)
    if "</" in text:
        text = _ELEMENT.sub(
            lambda m: m["head"] + MASK if hides(m["key"]) else m[0], text)
    if "bearer" in lower:
        text = _BEARER.sub(lambda m: m["head"] + MASK, text)
    if "://" in text:
        text = _USERINFO.sub(lambda m: f"{m['scheme']}{MASK}@", text)
    if any(literal in lower for literal in _SHAPED):
        text = _SHAPES.sub(MASK, text)
    return text


def shaped(text: str) -> bool:
    """Return whether the text holds what looks like a secret by itself."""
    return bool(_SHAPES.search(text) or _USERINFO.search(text)
                or ("=" in text and _PAIR.search(text)))


_NOTHING = frozenset(("", "null", "none", "nil", "true", "false", MASK))


def _mask_pair(match: re.Match) -> str:
    group = match.lastgroup
    if match[group].lower() in _NOTHING:
        return match[0]
    return match[0][:match.start(group) - match.start()] + MASK


def _mask_quoted(text: str, hides: Callable[[str], bool]) -> str:
    """Mask the values of quoted keys, as in cut JSON or a Python repr."""
    done: list[str] = []
    position = 0
    named = -1
    for match in _QUOTED_KEY.finditer(text):
        if match.start() < position:
            continue
        key, quote = match["key"], match["escape"] + match["mark"]
        if key in _NAMES:
            # {"key": "db_password", "value": …}: the next value, if near.
            found = _NAME.match(text, match.end())
            named = found.end() if found and hides(found["name"]) else -1
            continue
        if not hides(key) and not (
                key == "value" and 0 <= match.start() - named < 16):
            continue
        # What may be a container as well is a secret only as text.
        if key in TEXT_ONLY and not _STRING.match(text, match.end()):
            continue
        end = _value_end(text, match.end())
        if text[match.end():end].strip("\\\"'").lower() in _NOTHING:
            continue
        done += (text[position:match.end()], quote, MASK, quote)
        position = end
    done.append(text[position:])
    return "".join(done)


_NAMES = ("key", "name", "parameter_key")
_NAME = re.compile(r"\\{0,15}[\"'](?P<name>[^\"'\\]{1,128})\\{0,15}[\"']")
_STRING = re.compile(r"(?P<quote>\\{0,15}[\"'])")
_BARE = re.compile(r"[^,\s}\]\\\"']*")
_BRACKET = re.compile(r"[{}\[\]]")


def _value_end(text: str, start: int) -> int:
    """Return where the value ends; a value that is cut ends with the text."""
    found = _STRING.match(text, start)
    if found:
        return _string_end(text, found.end(), found["quote"])
    if text[start:start + 1] in ("{", "["):
        depth = 0
        # Brackets inside strings count too: an odd one hides too much
        # rather than too little, and this is for broken input only.
        for bracket in _BRACKET.finditer(text, start):
            depth += 1 if bracket[0] in "{[" else -1
            if depth == 0:
                return bracket.end()
        return len(text)
    return _BARE.match(text, start).end()


def _string_end(text: str, start: int, quote: str) -> int:
    slashes = len(quote) - 1
    position = start
    while True:
        position = text.find(quote, position)
        if position < 0:
            return len(text)
        before = position
        while before > start and text[before - 1] == "\\":
            before -= 1
        # More backslashes than the key's quote had belong to the value.
        if (position - before) == 0 or (
                slashes == 0 and (position - before) % 2 == 0):
            return position + len(quote)
        position += 1
