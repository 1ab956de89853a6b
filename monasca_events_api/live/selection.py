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


"""Which events somebody wants, decided on the event itself.

The same filters as in the list of events, which the stores carry out, with the
same meaning; and, for streams, a pattern of the rule language.
"""

from collections.abc import Callable, Iterable, Mapping
import struct

import orjson

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.query import Query
from monasca_events_common.rules.pattern import Pattern
from monasca_events_common.store import conditions
from monasca_events_common.store.conditions import Condition

#: Fields by which events are found, the rarest values first.
_RARE = ("event_id", "request_id", "resource_id", "global_request_id",
         "user_id", "event_type", "publisher_id", "resource_type",
         "domain_id", "source", "priority")

_NO_LIMITS = events.Limits(2 ** 31, 1000, 2 ** 31)


class Selection:
    """What a query and a pattern want together."""

    def __init__(self, query: Query, pattern: Pattern | None = None) -> None:
        """:raises Rejected: the query is not in the grammar"""
        found = conditions.conditions(query)
        #: A field and the values of which it has one in every event that is
        #: wanted, by which those are found quickly; None where there is none.
        self.anchor = _anchor(found)
        #: The same for all selections of the same events.
        self.key = (tuple(query.terms), tuple(query.words), query.since,
                    query.until, pattern)
        #: Whether every event is wanted, whatever is in it.
        self.is_everything = self.key == ((), (), None, None, None)
        self._conditions = list(map(_compile, found))
        self._words = frozenset(query.words)
        self._since, self._until = query.since, query.until
        self._pattern = pattern

    def wants(self, event: Mapping) -> bool:
        """Return whether an event is wanted; one that only looks like an
        event never is."""
        try:
            return self._wants(event)
        except (AttributeError, TypeError, ValueError, struct.error):
            # Whoever can write to the bus can forge anything.
            return False

    def _wants(self, event: Mapping) -> bool:
        timestamp = event["timestamp"]
        return (self._since is None or timestamp >= self._since) \
            and (self._until is None or timestamp < self._until) \
            and all(holds(event) for holds in self._conditions) \
            and (self._pattern is None or self._pattern.matches(event)) \
            and (not self._words or self._words <= _words(event))


def parse_pattern(text: str, most: int) -> Pattern:
    """Return the pattern of a parameter.

    :param most: what it may cost
    :raises Rejected: it is none, or costs more
    """
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"the parameter pattern is not JSON: {error}",
                       code="invalid_pattern", where="pattern") from None
    found = Pattern(content)
    if found.cost > most:
        raise Rejected(f"the pattern costs {found.cost}; expected at most "
                       f"{most}", code="too_costly", where="pattern")
    return found


def _anchor(found: Iterable[Condition]) -> tuple[str, frozenset[str]] | None:
    """Return the field that is likeliest to be rare, with its values."""
    fields = {one.name: one.values for one in found
              if one.kind == conditions.FIELD and one.operator == "eq"}
    return next(((name, frozenset(fields[name])) for name in _RARE
                 if name in fields), None)


def _words(event: Mapping) -> set[str]:
    texts = events.strings(event["payload"], _NO_LIMITS)
    return set(orjson.loads(events.searchable(event, texts))["words"])


def _compile(condition: Condition) -> Callable[[Mapping], bool]:
    """Return what decides whether a condition holds of an event."""
    find, decides = _finder(condition), _decider(condition)
    missing = condition.operator == "ne" or (
        condition.operator == "exists" and not condition.wanted)

    def holds(event: Mapping) -> bool:
        value = find(event)
        return missing if value is None else decides(value)
    return holds


def _finder(condition: Condition) -> Callable[[Mapping], str | None]:
    """Return what finds the text that a condition is about."""
    name = condition.name
    if condition.kind == conditions.FIELD:
        return lambda event: event.get(name)
    if condition.kind == conditions.DIMENSION:
        return lambda event: event["dimensions"].get(name)

    def trait(event: Mapping) -> str | None:
        value = event["traits"].get(name)
        return None if value is None else events.comparable(value)
    return trait


def _decider(condition: Condition) -> Callable[[str], bool]:
    """Return what decides of a text that is there."""
    if condition.operator == "exists":
        return lambda text: condition.wanted
    if condition.operator == "prefix":
        return lambda text: text.startswith(tuple(condition.values))
    if condition.operator == "range":
        return lambda text: any(
            (one.low is None or text > one.low
             or one.low_inclusive and text == one.low)
            and (one.high is None or text < one.high
                 or one.high_inclusive and text == one.high)
            for one in condition.spans)
    values = frozenset(condition.values)
    if condition.operator == "ne":
        return lambda text: text not in values
    return lambda text: text in values
