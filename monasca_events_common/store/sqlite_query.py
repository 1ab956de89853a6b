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

"""The SQLite store's translation of a query into SQL and an FTS5 match.

Values are always bound and the terms of a match always quoted: no text of a
tenant becomes part of a statement. Exact values and words are found through
the match; everything else is tested on the rows that it leaves, or on the
project's rows in the order of time.
"""

from collections.abc import Sequence
import dataclasses

from monasca_events_common.errors import Rejected
from monasca_events_common.query import Query
from monasca_events_common.store import conditions
from monasca_events_common.store import sqlite_rows
from monasca_events_common.store.conditions import Condition
from monasca_events_common.store.conditions import FIELD
from monasca_events_common.store.conditions import TRAIT
from monasca_events_common.store.sqlite_schema import SLOTS

_LARGEST = 2 ** 63 - 1

# The text of an event id, of which UUIDs are kept as 16 bytes.
_EVENT_ID = (
    "CASE typeof(event_id) WHEN 'text' THEN event_id ELSE lower("
    "substr(hex(event_id), 1, 8) || '-' || substr(hex(event_id), 9, 4) || '-' "
    "|| substr(hex(event_id), 13, 4) || '-' || substr(hex(event_id), 17, 4) "
    "|| '-' || substr(hex(event_id), 21)) END")

_DIMENSION = "(SELECT value FROM json_each(dimensions) WHERE key = ?)"


@dataclasses.dataclass(slots=True)
class Plan:
    """A query as SQL.

    :ivar project: number of the project, None for all
    :ivar match: what FTS5 is to match, None where it is of no use
    :ivar where: conditions on events, each in SQL
    :ivar parameters: what they bind
    :ivar first: least row id
    :ivar past: row id past the last
    """

    project: int | None
    match: str | None
    where: list[str]
    parameters: list
    first: int = 0
    past: int = _LARGEST

    def narrow(self, first: int | None = None,
               past: int | None = None) -> "Plan":
        """Return the same plan for fewer row ids."""
        return dataclasses.replace(
            self,
            first=self.first if first is None else max(self.first, first),
            past=self.past if past is None else min(self.past, past))

    def source(self, period: int | None) -> tuple[str, list]:
        """Return FROM and WHERE of the plan, and what they bind.

        :param period: number of the search table for the match
        """
        where, bound = [], []
        tables = "events"
        if self.match is not None:
            table = f"terms_{period:d}"
            # CROSS JOIN: the match has to lead, whatever the planner thinks.
            tables = f"{table} CROSS JOIN events ON id = {table}.rowid"
            where.append(f"{table} MATCH ?")
            bound.append(self.match)
            row = f"{table}.rowid"
        else:
            row = "id"
        where += [f"{row} >= ?", f"{row} < ?"]
        bound += [self.first, self.past]
        if self.project is not None:
            where.append("project = ?")
            bound.append(self.project)
        return (f"FROM {tables} WHERE {' AND '.join([*where, *self.where])}",
                bound + self.parameters)

    def order(self, period: int | None) -> str:
        """Return the expression by which rows lie in the order of time."""
        return "id" if self.match is None else f"terms_{period:d}.rowid"


def plan(query: Query, project: int | None, spill: int) -> Plan:
    """Return the plan of a query.

    :param project: number of the project, None for all
    :param spill: microseconds by which a row id may run ahead of its time
    :raises Rejected: the query is outside the grammar
    """
    made = Plan(project, None, [], [])
    matches = [_quoted(sqlite_rows.word_term(word)) for word in query.words]
    for condition in conditions.conditions(query):
        match = _match(condition)
        if match is not None:
            matches.append(match)
        where, parameters = _where(condition)
        made.where.append(where)
        made.parameters += parameters
    if matches:
        if project is not None:
            matches.insert(0, _quoted(sqlite_rows.project_term(project)))
        made.match = " AND ".join(matches)
    since, until = conditions.bounds(query)
    if since is not None:
        made = made.narrow(first=_row(since))
        if spill:
            made.where.append("time >= ?")
            made.parameters.append(since)
    if until is not None:
        made = made.narrow(past=_row(until + spill))
        if spill:
            made.where.append("time < ?")
            made.parameters.append(until)
    return made


def marker(row: int) -> str:
    """Return the marker of the page that begins after a row."""
    return f"{row:x}"


def unmarked(text: str) -> int:
    """Return the row that a marker was made of; raise Rejected."""
    try:
        row = int(text, 16)
        if marker(row) == text and 0 <= row <= _LARGEST:
            return row
    except (TypeError, ValueError):
        pass
    raise Rejected("the marker is not one that this service gave",
                   code="invalid_marker", where="marker")


def grouped(by: str | None) -> tuple[str, list]:
    """Return the expression to group by and what it binds."""
    target = conditions.grouping(by)
    if target is None:
        return "NULL", []
    return _expression(*target)


def _row(microseconds: int) -> int:
    return max(0, min(microseconds * SLOTS, _LARGEST))


def _all(terms: Sequence[str]) -> str:
    return f"({' AND '.join(map(_quoted, terms))})"


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'


def _match(condition: Condition) -> str | None:
    """Return the match that every row of a condition fulfils, or None."""
    kind, name = condition.kind, condition.name
    if kind == FIELD and name == "event_id":
        return None
    if condition.operator == "eq":
        found = [sqlite_rows.needles(kind, name, value)
                 for value in condition.values]
        if not all(found):
            return None
        return f"({' OR '.join(map(_all, found))})"
    if kind == FIELD or condition.operator == "ne" or not condition.wanted:
        return None
    return _quoted(sqlite_rows.term("n" if kind == TRAIT else "m", name))


def _where(condition: Condition) -> tuple[str, list]:
    """Return the condition in SQL, which alone decides."""
    operator, values = condition.operator, list(condition.values)
    spans = condition.spans
    if condition.kind != FIELD:
        values = [sqlite_rows.without_nul(value) for value in values]
        spans = [_without_nul(span) for span in spans]
    if condition.name == "event_id" and condition.kind == FIELD \
            and operator in ("eq", "ne"):
        # The bare column, so that its index serves.
        expression, bound = "event_id", []
        values = [sqlite_rows.identity(value) for value in values]
    else:
        expression, bound = _expression(condition.kind, condition.name)
    if operator == "exists":
        return f"{expression} IS {'NOT ' * condition.wanted}NULL", bound
    if operator == "eq":
        return f"{expression} IN ({_marks(values)})", bound + values
    if operator == "ne":
        return (f"coalesce({expression} NOT IN ({_marks(values)}), 1)",
                bound + values)
    if operator == "prefix":
        # Between a prefix and the prefix with the last of all characters.
        return _spans([conditions.Span(value, True, value + chr(0x10FFFF),
                                       True) for value in values],
                      expression, bound)
    return _spans(spans, expression, bound)


def _without_nul(span: conditions.Span) -> conditions.Span:
    return dataclasses.replace(
        span, low=span.low and sqlite_rows.without_nul(span.low),
        high=span.high and sqlite_rows.without_nul(span.high))


def _spans(spans: Sequence[conditions.Span], expression: str,
           bound: list) -> tuple[str, list]:
    parts, parameters = [], []
    for span in spans:
        tests = []
        for limit, sign, inclusive in (
                (span.low, ">", span.low_inclusive),
                (span.high, "<", span.high_inclusive)):
            if limit is not None:
                tests.append(f"{expression} {sign}{'=' * inclusive} ?")
                parameters += [*bound, limit]
        parts.append(" AND ".join(tests))
    return _any(parts), parameters


def _any(parts: Sequence[str]) -> str:
    return f"({' OR '.join(f'({part})' for part in parts)})"


def _marks(values: Sequence) -> str:
    return ", ".join("?" * len(values))


def _expression(kind: str, name: str) -> tuple[str, list]:
    """Return the value in SQL and what it binds.

    A field's name is one of the grammar's, a trait's has letters, digits and
    '_', '-', '.' only: conditions let nothing else pass. Both are bound
    or chosen from constants all the same.
    """
    if kind == FIELD:
        if name == "event_id":
            return f"({_EVENT_ID})", []
        return sqlite_rows.COLUMNS[sqlite_rows.COLUMNS.index(name)], []
    if kind == TRAIT:
        return "json_extract(traits, ?)", [f'$."{name}"']
    return _DIMENSION, [sqlite_rows.without_nul(name)]
