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

"""From a query string to a Query.

A closed grammar: known names, a few operators before a colon, no expressions,
no wildcards. Whatever is not understood is refused, so that a misspelt filter
never widens an answer.
"""

from collections.abc import Sequence
import dataclasses
import datetime
import re
from urllib import parse

from monasca_events_common import event
from monasca_events_common import query
from monasca_events_common.errors import Rejected

#: Names besides the filters, by what they are for.
PAGING = ("limit", "marker", "sort", "quick")
SCOPE = ("all_projects", "project_id")

_SPANS = {"since": "gte:", "until": "lt:"}
_COMPARISONS = ("gt", "gte", "lt", "lte")
_TEXT_OPERATORS = ("eq", "ne", "prefix", "exists")
_NUMBER = re.compile(r"[+-]?\d{1,19}(\.\d{1,19})?([eE][+-]?\d{1,3})?\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}\Z")
_MAX_MARKER = 4096
_TICK = datetime.timedelta(microseconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What a query string asks for.

    :ivar query: the filters and the page
    :ivar all_projects: of every project
    :ivar project_id: of this project, None for the token's
    :ivar rest: parameters of the resource's own that are given
    """

    query: query.Query
    all_projects: bool
    project_id: str | None
    rest: dict


def split(query_string: str) -> list[tuple[str, str]]:
    """Return the names and values of a query string.

    :raises Rejected: it is no UTF-8, or absurdly long
    """
    try:
        return parse.parse_qsl(
            query_string, keep_blank_values=True, encoding="utf-8",
            errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise Rejected(f"the query string is malformed: {str(error)[:100]}",
                       code="bad_query") from None


def parse_request(query_string: str, limits, *,
                  paging: bool = True, own: Sequence[str] = ()) -> Request:
    """Return what is asked for.

    :param limits: the group ``[limits]``
    :param paging: whether the resource has pages
    :param own: names of the resource's own parameters
    :raises Rejected: a name is unknown or a value makes no sense
    """
    terms = _Terms()
    words: list[str] = []
    once: dict[str, str] = {}
    known = {*SCOPE, *own, *(PAGING if paging else ("quick",))}
    for name, value in split(query_string):
        if "\0" in value:
            raise _wrong(name, "a NUL character")
        if name in known:
            if name in once:
                raise _wrong(name, "more than one value")
            once[name] = value
        elif name == "q":
            words.extend(_words(value))
        else:
            terms.add(name, value)
    if len(words) > query.MAX_TERMS:
        raise _wrong("q", f"more than {query.MAX_TERMS} words")
    since, until = terms.window()
    asked = query.Query(
        terms=terms.done(), words=tuple(dict.fromkeys(words)),
        since=since, until=until,
        descending=_descending(once.get("sort", "timestamp:desc")),
        limit=_limit(once.get("limit"), limits) if paging else 1,
        marker=_marker(once.get("marker")),
        quick=boolean("quick", once.get("quick", "false")))
    everything = boolean("all_projects", once.get("all_projects", "false"))
    project_id = once.get("project_id")
    if everything and project_id is not None:
        raise Rejected("all_projects and project_id exclude each other",
                       code="bad_query", where="project_id")
    return Request(asked, everything, project_id,
                   {name: once[name] for name in own if name in once})


def parse_scope(query_string: str, own: Sequence[str] = ()) -> Request:
    """Return what is asked of a resource without filters.

    :param own: names of the resource's own parameters
    :raises Rejected: a name is unknown or a value makes no sense
    """
    known = {*SCOPE, *own}
    for name, _ in split(query_string):
        if name not in known:
            raise unknown(name)
    return parse_request(query_string, None, paging=False, own=own)


def parse_listing(query_string: str, limits, own: Sequence[str] = (),
                  several: Sequence[str] = ()) -> Request:
    """Return what is asked of a list of other things than events.

    :param own: names of the resource's own parameters, each given once;
        with ``timestamp`` among them it, ``since`` and ``until`` narrow the
        query's time
    :param several: those that may be repeated; ``rest`` has tuples of them
    :raises Rejected: a name is unknown or a value makes no sense
    """
    known = {*SCOPE, "limit", "marker", *own}
    spans = _SPANS if "timestamp" in own else {}
    rest, lists = [], {name: [] for name in several}
    for name, value in split(query_string):
        if name in lists:
            if "\0" in value or len(lists[name]) >= query.MAX_VALUES:
                raise _wrong(name, "a value too many or a NUL character")
            lists[name].append(value)
        elif name in spans:
            rest.append(("timestamp", spans[name] + value))
        elif name in known:
            rest.append((name, value))
        else:
            raise unknown(name)
    found = parse_request(
        parse.urlencode(rest), limits,
        own=[name for name in own if name != "timestamp"])
    return dataclasses.replace(found, rest={
        **found.rest, **{name: tuple(values)
                         for name, values in lists.items() if values}})


def refuse(query_string: str) -> None:
    """Raise Rejected where there are parameters at all."""
    for name, _ in split(query_string):
        raise unknown(name)


def parse_flag(query_string: str, name: str) -> bool:
    """Return the value of the only parameter there may be, false or true.

    :raises Rejected: there are others, or it is neither
    """
    value = _only(query_string, name)
    return value is not None and boolean(name, value)


def parse_seconds(query_string: str, name: str, default: float,
                  most: float) -> float:
    """Return the value of the only parameter there may be, in seconds.

    :raises Rejected: there are others, or it is no number up to ``most``
    """
    value = _only(query_string, name)
    return default if value is None else seconds(name, value, most)


def seconds(name: str, text: str, most: float) -> float:
    """Return the value of a parameter in seconds.

    :raises Rejected: it is no number up to ``most``
    """
    if not _NUMBER.match(text) or not 0 <= float(text) <= most:
        raise _wrong(name, f"no number of seconds from 0 to {most:g}")
    return float(text)


def _only(query_string: str, name: str) -> str | None:
    """Return the value of a parameter beside which there is none."""
    given = split(query_string)
    for other, _ in given:
        if other != name:
            raise unknown(other)
    if len(given) > 1:
        raise _wrong(name, "more than one value")
    return given[0][1] if given else None


class _Terms:
    """Gathers conditions: repeated values of one name are alternatives."""

    def __init__(self) -> None:
        self._alternatives: dict[tuple[str, str], list] = {}
        self._others: list[query.Term] = []
        self._since: datetime.datetime | None = None
        self._until: datetime.datetime | None = None

    def add(self, name: str, text: str) -> None:
        operator, value = _operator(text)
        if name == "timestamp":
            self._narrow(operator, value)
            return
        is_trait = name.startswith("traits.")
        check_name(name)
        if operator in _COMPARISONS and not is_trait:
            raise _wrong(name, f"the operator {operator}; only timestamp and "
                               "traits can be compared")
        if len(value) > event.MAX_STRING:
            raise _wrong(name, f"more than {event.MAX_STRING} characters")
        if operator == "exists":
            values: list = [boolean(name, value)]
        elif operator == "prefix" or not is_trait:
            values = [value]
        elif operator in _COMPARISONS:
            values = typed(value)[:1]
        else:
            values = typed(value)
        if operator in ("eq", "ne"):
            self._alternatives.setdefault((name, operator), []).extend(values)
        else:
            self._others.append(query.Term(name, operator, tuple(values)))

    def _narrow(self, operator: str, text: str) -> None:
        if operator not in (*_COMPARISONS, "eq"):
            raise _wrong("timestamp", f"the operator {operator}")
        try:
            moment = event.parse_time(
                float(text) if _NUMBER.match(text) else text)
            after = moment + _TICK
        except (Rejected, OverflowError):
            raise _wrong("timestamp", "no ISO 8601 time") from None
        if operator in ("gt", "gte", "eq"):
            first = after if operator == "gt" else moment
            self._since = max(self._since or first, first)
        if operator in ("lt", "lte", "eq"):
            end = moment if operator == "lt" else after
            self._until = min(self._until or end, end)

    def window(self) -> tuple[str | None, str | None]:
        return (self._since and event.format_time(self._since),
                self._until and event.format_time(self._until))

    def done(self) -> tuple[query.Term, ...]:
        found = [query.Term(name, operator, tuple(dict.fromkeys(
                     (type(value), value) for value in values)))
                 for (name, operator), values in self._alternatives.items()]
        found = [dataclasses.replace(term, values=tuple(
                     value for _, value in term.values)) for term in found]
        found += self._others
        if len(found) > query.MAX_TERMS:
            raise Rejected(f"there are more than {query.MAX_TERMS} filters",
                           code="bad_query")
        for term in found:
            if len(term.values) > query.MAX_VALUES:
                raise _wrong(term.field,
                             f"more than {query.MAX_VALUES} values")
        return tuple(found)


def typed(text: str) -> list[str | int | float | bool]:
    """Return what a trait may hold that reads like this.

    ``512`` is the number and the string: a query string has no types, and a
    trait of either kind may be meant. The likelier type comes first.
    """
    if text in ("true", "false"):
        return [text == "true", text]
    if _NUMBER.match(text):
        number = float(text)
        whole = text.lstrip("+-").isdigit()
        return [int(text) if whole else number, text]
    try:
        moment = event.format_time(event.parse_time(text))
    except Rejected:
        return [text]
    return [moment] if moment == text else [moment, text]


def _operator(text: str) -> tuple[str, str]:
    word, colon, rest = text.partition(":")
    if colon and word in query.OPERATORS:
        return word, rest
    return "eq", text


def check_name(name: str) -> None:
    """Raise Rejected where there is no such field to filter or group by."""
    if name in query.FIELDS:
        return
    prefix, _, rest = name.partition(".")
    if prefix == "traits" and _NAME.match(rest):
        return
    if prefix == "dimensions" and 0 < len(rest) <= 255:
        return
    raise unknown(name)


def unknown(name: str) -> Rejected:
    """Return the error of a name that means nothing here."""
    return Rejected(f"{name[:80]!r} is not a parameter of this resource",
                    code="unknown_parameter", where=name[:80])


def _words(text: str) -> list[str]:
    found = event.words([text])
    if not found or max(map(len, text.split())) > event.MAX_WORD:
        raise _wrong("q", "no word that can be searched")
    return found


def _limit(text: str | None, limits) -> int:
    if text is None:
        return min(limits.default_page, limits.max_page)
    if not re.match(r"\d{1,9}\Z", text, re.ASCII) \
            or not 1 <= int(text) <= limits.max_page:
        raise _wrong("limit", "no number from 1 to "
                              f"{limits.max_page}, the most that is given")
    return int(text)


def _marker(text: str | None) -> str | None:
    if text is not None and not 0 < len(text) <= _MAX_MARKER:
        raise _wrong("marker", "no marker of this API")
    return text


def _descending(text: str) -> bool:
    directions = {"timestamp": False, "timestamp:asc": False,
                  "timestamp:desc": True}
    if text not in directions:
        raise _wrong("sort", "neither timestamp:asc nor timestamp:desc")
    return directions[text]


def boolean(name: str, text: str) -> bool:
    """Return what ``true`` or ``false`` says. Raises Rejected."""
    if text.lower() not in ("true", "false"):
        raise _wrong(name, "neither true nor false")
    return text.lower() == "true"


def _wrong(name: str, what: str) -> Rejected:
    return Rejected(f"the parameter {name[:80]} has {what}",
                    code="invalid_parameter", where=name[:80])
