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

"""What somebody looks for among the events, as values.

Between the form that they fill in, the client's filters and the addresses of
links; no Django and no I/O.
"""

from collections.abc import Mapping
import dataclasses
import datetime
from typing import Any
from urllib import parse

#: Time ranges that end now: name → seconds; None from the first event on.
RANGES: Mapping[str, int | None] = {
    "1h": 3600, "24h": 86400, "7d": 7 * 86400, "30d": 30 * 86400, "all": None}

DEFAULT_RANGE = "24h"

#: A range that says both ends itself.
BETWEEN = "between"

#: Fields that are compared as a whole, by the API's names.
FIELDS = ("resource_type", "resource_id", "priority", "request_id", "user_id",
          "publisher_id", "project_id")


@dataclasses.dataclass(frozen=True, slots=True)
class Search:
    """One question about events.

    :ivar event_type: one or several with commas between; a star at the end
        stands for anything
    :ivar fields: field → value; empty ones ask nothing
    :ivar since, until: with a zone; None where open
    :ivar quick: look at the newest period of the store only
    """

    words: str = ""
    event_type: str = ""
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    range: str = DEFAULT_RANGE
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    quick: bool = False
    oldest_first: bool = False

    def filters(self) -> dict[str, Any]:
        """Return the client's arguments for a list or a summary."""
        found: dict[str, Any] = {
            name: f"eq:{self.fields[name]}" if name != "project_id"
            else self.fields[name]
            for name in FIELDS if self.fields.get(name)}
        types = [pattern(one) for one in split(self.event_type)]
        if types:
            found["event_type"] = types
        if self.words:
            found["words"] = self.words
        if self.since is not None:
            found["since"] = self.since
        if self.until is not None:
            found["until"] = self.until
        if self.quick:
            found["quick"] = True
        return found

    def sort(self) -> str:
        """Return the order in which a list gives them."""
        return f"timestamp:{'asc' if self.oldest_first else 'desc'}"

    def between(self, since: datetime.datetime, until: datetime.datetime
                ) -> "Search":
        """Return the question about another time."""
        return dataclasses.replace(self, range=BETWEEN, since=since,
                                   until=until)

    def fixed(self, now: datetime.datetime) -> "Search":
        """Return the question with both ends said, as of now.

        Pages that follow one another must ask the same thing.
        """
        return dataclasses.replace(
            self, range=BETWEEN, until=self.until or now)

    def query(self) -> str:
        """Return the question as an address's query string."""
        pairs = {"q": self.words, "event_type": self.event_type,
                 **{name: self.fields.get(name) for name in FIELDS},
                 "range": self.range}
        if self.range == BETWEEN:
            pairs["since"] = stamp(self.since)
            pairs["until"] = stamp(self.until)
        pairs["quick"] = "on" if self.quick else ""
        pairs["oldest_first"] = "on" if self.oldest_first else ""
        return encode(pairs)


def encode(pairs: Mapping[str, str | None]) -> str:
    """Return a query string of what is not empty."""
    return parse.urlencode(
        {name: value for name, value in pairs.items() if value})


def split(text: str) -> list[str]:
    """Return what stands between commas."""
    return [one for one in (part.strip() for part in text.split(",")) if one]


def pattern(text: str) -> str:
    """Return an event type, or its beginning before a star, as a filter.

    :raises ValueError: a star stands elsewhere
    """
    begin, star, rest = text.partition("*")
    if not star:
        return f"eq:{text}"
    if rest:
        raise ValueError(f"{text}: a star may stand at the end only")
    return f"prefix:{begin}" if begin else "exists:true"


def stamp(moment: datetime.datetime | None) -> str:
    """Return a time for an address."""
    if moment is None:
        return ""
    return moment.astimezone(datetime.timezone.utc).isoformat().replace(
        "+00:00", "Z")
