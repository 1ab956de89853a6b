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

"""A query over one tenant's events: a value, free of HTTP and of any store.

The API builds it from the query string, the drivers translate it. All terms
are ANDed; the values of one term are ORed. There is no other connective, no
expression and no pattern language, so the worst query has a bounded cost.
"""

from collections.abc import Sequence
import dataclasses

#: Fields that a term may name besides ``traits.NAME`` and ``dimensions.NAME``.
FIELDS = ("event_id", "event_type", "publisher_id", "priority", "source",
          "resource_type", "resource_id", "user_id", "domain_id",
          "request_id", "global_request_id")

#: Operators of a term. ``eq`` and ``ne`` take several values; ``prefix`` is
#: for strings; the comparisons take one value each; ``exists`` takes a bool.
OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "prefix", "exists")

#: Values that one term may list, and terms that one query may have.
MAX_VALUES = 50
MAX_TERMS = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    :ivar field: one of FIELDS, ``traits.NAME`` or ``dimensions.NAME``
    :ivar operator: one of OPERATORS
    :ivar values: what to compare with. For a trait the type is the event's:
        a value is a str, int, float or bool; a number compares with integer
        and float traits alike, a str with string and datetime traits. For
        ``ne`` an event without the field matches.
    """

    field: str
    operator: str
    values: Sequence[str | int | float | bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """What to look for and which page of it.

    :ivar terms: conditions, all of which must hold
    :ivar words: lower-case words, all of which must occur in the event
    :ivar since: canonical timestamp, inclusive, or None
    :ivar until: canonical timestamp, exclusive, or None
    :ivar descending: newest first
    :ivar limit: events a page
    :ivar marker: the marker of the page before, as the store gave it
    :ivar quick: look only at the newest period of the store
    """

    terms: Sequence[Term] = ()
    words: Sequence[str] = ()
    since: str | None = None
    until: str | None = None
    descending: bool = True
    limit: int = 100
    marker: str | None = None
    quick: bool = False
