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

"""What the terms of a query mean, the same for every store.

The drivers call it before they translate a query. It checks that the query
stays within the closed grammar and turns the values of traits into the text
that :func:`monasca_events_common.event.comparable` makes of them, so that a
driver compares strings only. It knows no driver and does no I/O.
"""

from collections.abc import Iterable, Sequence
import collections
import dataclasses
import math
import re
import struct

from monasca_events_common.errors import Rejected
from monasca_events_common.event import comparable
from monasca_events_common.event import MAX_STRING
from monasca_events_common.event import MAX_WORD
from monasca_events_common.event import trait_type
from monasca_events_common import query as queries
from monasca_events_common.store import periods

FIELD, TRAIT, DIMENSION = "field", "trait", "dimension"

#: Groups that one bucket of an aggregation shows, and groups over all buckets
#: that a store counts before it gives up.
MAX_GROUPS = 50
MAX_COUNTED = 50_000

#: Seconds of the widest bucket: a hundred years.
MAX_INTERVAL = 100 * 366 * 86400

#: Words of one query, and the largest page.
MAX_WORDS = 50
MAX_LIMIT = 5_000

_TRAIT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}\Z")
_COMPARISONS = ("gt", "gte", "lt", "lte")


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A range of text.

    A bound of None is open. Traits' spans never leave the value's type.
    """

    low: str | None
    low_inclusive: bool
    high: str | None
    high_inclusive: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One term, checked and encoded.

    :ivar kind: FIELD, TRAIT or DIMENSION
    :ivar name: of the field, trait or dimension
    :ivar operator: ``eq``, ``ne``, ``range``, ``prefix`` or ``exists``
    :ivar values: texts of which one must be equal (eq), none (ne), or of
        which one must be the beginning (prefix)
    :ivar spans: of which the value must lie in one (range)
    :ivar wanted: whether it must exist (exists)
    """

    kind: str
    name: str
    operator: str
    values: Sequence[str] = ()
    spans: Sequence[Span] = ()
    wanted: bool = True


def conditions(query: queries.Query) -> list[Condition]:
    """Return the conditions of a query; raise Rejected where it has none."""
    if not 1 <= query.limit <= MAX_LIMIT:
        raise _invalid(f"limit is {query.limit}; expected 1 to {MAX_LIMIT}")
    if len(query.terms) > queries.MAX_TERMS:
        raise _invalid(f"the query has {len(query.terms)} terms; at most "
                       f"{queries.MAX_TERMS} are accepted")
    if len(query.words) > MAX_WORDS:
        raise _invalid(f"the query has {len(query.words)} words; at most "
                       f"{MAX_WORDS} are accepted")
    for word in query.words:
        if (not word or len(word) > MAX_WORD or not word.isprintable()
                or " " in word):
            raise _invalid(f"{word[:64]!r} is not a word of 1 to {MAX_WORD} "
                           "printable characters")
    return [_condition(term) for term in query.terms]


def bounds(query: queries.Query) -> tuple[int | None, int | None]:
    """Return since and until in microseconds; raise Rejected if not times."""
    return (None if query.since is None else periods.microseconds(query.since),
            None if query.until is None else periods.microseconds(query.until))


def grouping(by: str | None) -> tuple[str, str] | None:
    """Return kind and name of what an aggregation groups by."""
    return None if by is None else _target(by)


def microseconds(interval: int | None) -> int | None:
    """Return the width of a bucket; raise Rejected where it can be none."""
    if interval is None:
        return None
    if type(interval) is not int or not 0 < interval <= MAX_INTERVAL:
        raise _invalid(f"interval is {interval!r}; expected 1 to "
                       f"{MAX_INTERVAL} seconds")
    return interval * 1_000_000


def readable(encoded: str) -> str:
    """Return what people read of a trait's comparable text."""
    if encoded[:1] != "n":
        return {"b0": "false", "b1": "true"}.get(encoded, encoded[1:])
    bits = int(encoded[1:], 16)
    bits = bits ^ 1 << 63 if bits >> 63 else bits ^ 0xFFFFFFFFFFFFFFFF
    number, = struct.unpack(">d", struct.pack(">Q", bits))
    return str(int(number)) if number.is_integer() else repr(number)


def named(ranked: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the groups of a trait by what people read, largest first.

    The number 5 and the text "5" are two values and read alike.
    """
    found: collections.Counter = collections.Counter()
    for encoded, events in ranked:
        found[readable(encoded)] += events
    return dict(found.most_common())


def _target(field: str) -> tuple[str, str]:
    if field in queries.FIELDS:
        return FIELD, field
    kind, _, name = field.partition(".")
    if kind == "traits" and _TRAIT_NAME.match(name):
        return TRAIT, name
    if kind == "dimensions" and 0 < len(name) <= MAX_STRING:
        _checked(field, name)
        return DIMENSION, name
    raise _invalid(f"{field[:80]!r} is no field of an event")


def _condition(term: queries.Term) -> Condition:
    kind, name = _target(term.field)
    values = list(term.values)
    if term.operator not in queries.OPERATORS:
        raise _invalid(f"{term.operator!r} is no operator")
    if term.operator == "exists":
        if len(values) != 1 or type(values[0]) is not bool:
            raise _invalid(f"{term.field} exists takes true or false")
        return Condition(kind, name, "exists", wanted=values[0])
    if not 0 < len(values) <= queries.MAX_VALUES:
        raise _invalid(f"{term.field} has {len(values)} values; expected 1 to "
                       f"{queries.MAX_VALUES}")
    for value in values:
        _check_value(kind, term.field, value)
    if term.operator in ("eq", "ne"):
        return Condition(kind, name, term.operator,
                         tuple(comparable(value) if kind == TRAIT else value
                               for value in values))
    if len(values) > 1:
        raise _invalid(f"{term.field} {term.operator} takes one value")
    if term.operator == "prefix":
        return _prefix(kind, name, values[0])
    return Condition(kind, name, "range",
                     spans=_spans(kind, term.operator, values[0]))


def _prefix(kind: str, name: str, value) -> Condition:
    if type(value) is not str:
        raise _invalid(f"{name[:80]} prefix takes a string")
    # A string stands for string and datetime traits alike.
    values = ("s" + value, "d" + value) if kind == TRAIT else (value,)
    return Condition(kind, name, "prefix", values)


def _spans(kind: str, operator: str, value) -> tuple[Span, ...]:
    if kind != TRAIT:
        return (_span(operator, value, None, None),)
    if type(value) is str:
        encoded = ("s" + value, "d" + value)
    else:
        encoded = (comparable(value),)
    return tuple(_span(operator, text, text[0], chr(ord(text[0]) + 1))
                 for text in encoded)


def _span(operator: str, bound: str, least: str | None,
          past: str | None) -> Span:
    if operator in ("gt", "gte"):
        return Span(bound, operator == "gte", past, False)
    return Span(least, True, bound, operator == "lte")


def _check_value(kind: str, field: str, value) -> None:
    if type(value) is str:
        _checked(field, value)
        if len(value) > MAX_STRING:
            raise _invalid(f"a value of {field[:80]} has more than "
                           f"{MAX_STRING} characters")
    elif kind != TRAIT or trait_type(value) is None or (
            type(value) is float and not math.isfinite(value)):
        raise _invalid(f"{field[:80]} cannot be compared with "
                       f"{str(value)[:40]}")


def _checked(field: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _invalid(f"a value of {field[:64]!r} is not Unicode text") \
            from None


def _invalid(message: str) -> Rejected:
    return Rejected(message, code="invalid_query")
