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

"""What the store's contract is made of: events, and asking a store for them.

A test case sets ``self.store`` in setUp and may override ``refresh``.
"""

import datetime

import orjson

from monasca_events_common import errors
from monasca_events_common import event
from monasca_events_common.query import Query
from monasca_events_common.query import Term
from monasca_events_common.store import Document

OURS = "0a" * 16
THEIRS = "0b" * 16

NOON = datetime.datetime(2026, 11, 18, 12, tzinfo=datetime.timezone.utc)


def at(seconds: float = 0, days: float = 0) -> str:
    """Return canonical text of a time after noon of the tests' day."""
    return event.format_time(
        NOON + datetime.timedelta(days=days, seconds=seconds))


def make(source_id: str, project_id: str = OURS, **fields) -> dict:
    """Return a complete canonical event."""
    made = dict.fromkeys(event.FIELDS)
    made.update(
        event_id=event.event_id(project_id, source_id),
        project_id=project_id, event_type="compute.instance.create.end",
        timestamp=at(), received_at=at(1), publisher_id="compute.node-1",
        priority="INFO", source="notification", traits={}, dimensions={},
        payload={}, marks={})
    made.update(fields)
    return made


def document(made: dict) -> Document:
    """Return the document of an event, the way the persister makes it."""
    record = event.record(made)
    return Document(
        project_id=record.key.decode(),
        event_id=record.headers["event_id"].decode(),
        event_type=record.headers["event_type"].decode(),
        timestamp=record.headers["timestamp"].decode(),
        value=record.value, index=record.headers["index"])


def names(page) -> list[str]:
    """Return the ``name`` of each event's payload."""
    return [orjson.loads(value)["payload"]["name"] for value in page.events]


class StoreCase:
    """A part of the contract."""

    def refresh(self) -> None:
        """Return once everything written is searchable."""

    def put(self, *events: dict):
        result = self.store.write([document(made) for made in events])
        self.refresh()
        return result

    def named(self, name: str, **fields) -> dict:
        """Return an event that ``names`` shows by its name."""
        return make(name, payload={"name": name}, **fields)

    def found(self, *terms: Term, project_id=OURS, **query) -> set[str]:
        query.setdefault("limit", 100)
        return set(names(self.store.search(
            project_id, Query(terms=terms, **query))))

    def assert_rejected(self, code: str, call, *arguments) -> None:
        with self.assertRaises(errors.Rejected) as caught:
            call(*arguments)
        self.assertEqual(code, caught.exception.code)
