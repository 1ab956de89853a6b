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

"""The operators of a pattern's leaf, each parsed once into a test.

The words and their meaning follow Amazon EventBridge's event patterns as
documented in "Comparison operators for use in event patterns" of its user
guide, so that people's knowledge carries over. What differs is told in the
reference page "Rules". Every test takes time linear in the value's length;
there are no regular expressions.
"""

from collections.abc import Callable
import ipaddress

from monasca_events_common.errors import Rejected

#: Characters of a string in a pattern.
MAX_STRING = 1024

#: Values that ``anything-but`` may list.
MAX_LISTED = 200

#: Stars in one wildcard.
MAX_STARS = 8

#: An IPv6 address with a zone and a mask is not longer than this.
_MAX_ADDRESS = 64

_NUMERIC: dict[str, Callable] = {
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    "=": lambda value, bound: value == bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


class Test:
    """One operator with its operand.

    :ivar kinds: types of values that it can hold for; others are not asked
    :ivar holds: function of a value of one of those types
    :ivar cost: about how many tenths of a microsecond it takes
    :ivar text: what it expects, for people
    """

    __slots__ = ("kinds", "holds", "cost", "text")

    def __init__(self, kinds: tuple[type, ...], holds: Callable, cost: int,
                 text: str) -> None:
        self.kinds = kinds
        self.holds = holds
        self.cost = cost
        self.text = text


_STR = (str,)
_NUMBER = (int, float)
_ANY = (str, int, float, bool)


def parse(operator: dict, where: str) -> Test:
    """Return the test of ``{"prefix": "compute."}`` and its like.

    ``exists`` is not among them: it looks at whether there is a value at all,
    which is the leaf's business.

    :raises Rejected: it is no operator; ``where`` is the path in the pattern
    """
    if len(operator) != 1:
        raise wrong(where, f"an object with {len(operator)} keys",
                    "one operator: " + ", ".join(sorted(_PARSERS)))
    (name, operand), = operator.items()
    parser = _PARSERS.get(name)
    if parser is None:
        raise wrong(where, f"the operator {name[:64]!r}",
                    "one of " + ", ".join(sorted(_PARSERS)))
    return parser(operand, f"{where}.{name}")


def wrong(where: str, found: str, expected: str) -> Rejected:
    """Return the error that says what stands where and what should."""
    return Rejected(f"{where} is {found}; expected {expected}",
                    code="invalid_pattern", where=where)


def shown(value) -> str:
    """Return a value as an error shows it, shortened."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None or type(value) is bool:
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)[:80]


def _text(value, where: str, what: str = "a string") -> str:
    if type(value) is not str or not 0 < len(value) <= MAX_STRING:
        raise wrong(where, shown(value) if type(value) is not str
                    else f"a string of {len(value)} characters",
                    f"{what} of 1 to {MAX_STRING} characters")
    return value


def is_number(value) -> bool:
    """Return whether it is a number that an event can hold."""
    return type(value) in (int, float) and -2 ** 63 <= value < 2 ** 64


def _prefix(operand, where: str) -> Test:
    folded = _folded(operand, where)
    if folded is not None:
        def holds(value: str) -> bool:
            return value[:len(folded)].casefold().startswith(folded)
        return Test(_STR, holds, 3, f"a prefix {folded!r} in any case")
    text = _text(operand, where)
    return Test(_STR, lambda value: value.startswith(text), 1,
                f"the prefix {text!r}")


def _suffix(operand, where: str) -> Test:
    folded = _folded(operand, where)
    if folded is not None:
        def holds(value: str) -> bool:
            return value[-len(folded):].casefold().endswith(folded)
        return Test(_STR, holds, 3, f"a suffix {folded!r} in any case")
    text = _text(operand, where)
    return Test(_STR, lambda value: value.endswith(text), 1,
                f"the suffix {text!r}")


def _folded(operand, where: str) -> str | None:
    """Return the text of a nested ``equals-ignore-case``, or None."""
    if type(operand) is not dict:
        return None
    if set(operand) != {"equals-ignore-case"}:
        raise wrong(where, "an object",
                    'a string or {"equals-ignore-case": STRING}')
    return _text(operand["equals-ignore-case"],
                 f"{where}.equals-ignore-case").casefold()


def _ignore_case(operand, where: str) -> Test:
    text = _text(operand, where).casefold()
    # Folding lengthens a string threefold at most: a longer value is not it
    # and is not worth folding.
    longest = 3 * len(text)

    def holds(value: str) -> bool:
        return len(value) <= longest and value.casefold() == text
    return Test(_STR, holds, 3, f"{text!r} in any case")


def _numeric(operand, where: str) -> Test:
    expected = ('an array of one or two comparisons such as [">", 0, "<=", '
                "10]")
    if type(operand) is not list or len(operand) not in (2, 4):
        raise wrong(where, shown(operand), expected)
    comparisons = []
    for at in range(0, len(operand), 2):
        name, bound = operand[at], operand[at + 1]
        if type(name) is not str or name not in _NUMERIC:
            raise wrong(f"{where}[{at}]", shown(name),
                        "one of " + ", ".join(_NUMERIC))
        if not is_number(bound):
            raise wrong(f"{where}[{at + 1}]", shown(bound), "a number")
        comparisons.append((_NUMERIC[name], bound))
    text = "a number " + " and ".join(
        f"{operand[at]} {operand[at + 1]}" for at in range(0, len(operand), 2))
    (first, bound), *rest = comparisons
    if not rest:
        return Test(_NUMBER, lambda value: first(value, bound), 2, text)
    (second, other), = rest
    return Test(_NUMBER, lambda value: first(value, bound)
                and second(value, other), 3, text)


def _anything_but(operand, where: str) -> Test:
    if type(operand) is dict:
        inner = parse(operand, where)
        if next(iter(operand)) not in ("prefix", "suffix", "wildcard",
                                       "equals-ignore-case"):
            raise wrong(where, f"the operator {next(iter(operand))!r}",
                        "prefix, suffix, wildcard or equals-ignore-case")
        return Test(_ANY, lambda value: type(value) is not str
                    or not inner.holds(value), inner.cost + 1,
                    f"anything but {inner.text}")
    listed = operand if type(operand) is list else [operand]
    if not 0 < len(listed) <= MAX_LISTED:
        raise wrong(where, f"an array of {len(listed)}",
                    f"1 to {MAX_LISTED} values")
    for at, value in enumerate(listed):
        if type(value) is not str and not is_number(value):
            raise wrong(f"{where}[{at}]", shown(value),
                        "a string or a number")
        if type(value) is str and len(value) > MAX_STRING:
            raise wrong(f"{where}[{at}]",
                        f"a string of {len(value)} characters",
                        f"at most {MAX_STRING}")
    excluded = frozenset(listed)
    # True equals 1 in Python, not in an event.
    return Test(_ANY, lambda value: type(value) is bool
                or value not in excluded, 2,
                "anything but " + " or ".join(map(repr, listed[:10])))


def _cidr(operand, where: str) -> Test:
    text = _text(operand, where)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise wrong(where, repr(text[:64]),
                    "a network such as 10.0.0.0/8 or 2001:db8::/32"
                    ) from None

    def holds(value: str) -> bool:
        if len(value) > _MAX_ADDRESS:
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False
    return Test(_STR, holds, 30, f"an address in {network}")


def _wildcard(operand, where: str) -> Test:
    pieces = _pieces(_text(operand, where), where)
    head, *middle = pieces
    if not middle:
        return Test(_STR, lambda value: value == head, 1, repr(operand))
    *middle, tail = middle
    shortest = sum(map(len, pieces))

    def holds(value: str) -> bool:
        if len(value) < shortest or not value.startswith(head) \
                or not value.endswith(tail):
            return False
        # Leftmost matches suffice: a piece found earlier leaves more room.
        at, end = len(head), len(value) - len(tail)
        for piece in middle:
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return at <= end
    return Test(_STR, holds, 4 + 3 * len(middle), f"the wildcard {operand!r}")


def _pieces(text: str, where: str) -> list[str]:
    """Split a wildcard at its stars; ``\\*`` and ``\\\\`` are literal."""
    pieces, piece, at = [], [], 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
            if text[at:at + 1] not in ("*", "\\"):
                raise wrong(where, repr(text[:80]),
                            "a backslash before a star or a backslash only")
            piece.append(text[at])
        elif letter == "*":
            if text[at + 1:at + 2] == "*":
                raise wrong(where, repr(text[:80]),
                            "no two stars beside each other")
            pieces.append("".join(piece))
            piece = []
        else:
            piece.append(letter)
        at += 1
    pieces.append("".join(piece))
    if len(pieces) - 1 > MAX_STARS:
        raise wrong(where, f"a wildcard with {len(pieces) - 1} stars",
                    f"at most {MAX_STARS}")
    return pieces


_PARSERS = {"prefix": _prefix, "suffix": _suffix, "numeric": _numeric,
            "anything-but": _anything_but, "cidr": _cidr,
            "equals-ignore-case": _ignore_case, "wildcard": _wildcard}

#: Names of the operators, ``exists`` included.
NAMES = tuple(sorted([*_PARSERS, "exists"]))
