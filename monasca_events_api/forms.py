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

"""The forms in which events go out: JSON, NDJSON, CSV.

Canonical events come from the store as bytes and are joined, never encoded
again.
"""

from collections.abc import Iterable, Sequence
import csv
import io

import orjson

from monasca_events_common import printable

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"

#: Columns of the CSV form; the last three hold JSON.
COLUMNS = ("timestamp", "event_type", "event_id", "project_id", "priority",
           "publisher_id", "source", "received_at", "resource_type",
           "resource_id", "user_id", "domain_id", "request_id",
           "global_request_id", "traits", "dimensions", "payload", "marks")

_STRUCTURED = frozenset(("traits", "dimensions", "payload", "marks"))


def as_json(events: Sequence[bytes], links: Sequence[dict]) -> bytes:
    """Return ``{"events": […], "links": […]}``."""
    return b"".join((b'{"events":[', b",".join(events), b'],"links":',
                     orjson.dumps(links), b"}"))


def as_array(events: Iterable[bytes]) -> bytes:
    """Return ``[…]``."""
    return b"[" + b",".join(events) + b"]"


def as_ndjson(events: Sequence[bytes]) -> bytes:
    """Return one event a line."""
    return b"".join(one + b"\n" for one in events)


def as_csv(events: Sequence[bytes]) -> bytes:
    """Return a table with a header line.

    A cell that a spreadsheet would take for a formula gets an apostrophe in
    front; characters that control a terminal are shown as escapes.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in events:
        event = orjson.loads(one)
        writer.writerow([_cell(name, event.get(name)) for name in COLUMNS])
    return text.getvalue().encode()


def _cell(name: str, value) -> str:
    if value is None:
        return ""
    if name in _STRUCTURED:
        return _neutral(orjson.dumps(value).decode()) if value else ""
    return _neutral(str(value))


def _neutral(text: str) -> str:
    if text.lstrip()[:1] in ("=", "+", "-", "@"):
        text = "'" + text
    return printable.escape(text)
