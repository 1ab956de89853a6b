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

"""The events of a made-up cloud, as the agent makes them of notifications."""

import datetime

from monasca_events_agent.definitions import Definitions
from monasca_events_agent.normalise import Normaliser
from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic.notification import Notification
from monasca_events_common import event as events

START = datetime.datetime(2026, 11, 22, 10, tzinfo=datetime.timezone.utc)


def notifications(nova_format: str = "unversioned", count: int = 3000,
                  **options) -> list[Notification]:
    """Return what the services of a day say, with what to expect of it."""
    return list(lifecycles.stream(3, 3, lifecycles.Options(
        count=count, start=START, span=86400.0, nova_format=nova_format,
        **options)))


def normalised(sent: list[Notification]) -> list[dict]:
    """Return the canonical events of notifications."""
    normalise = Normaliser(Definitions.load(), "0" * 32)
    made = [normalise({
        "message_id": one.message_id, "publisher_id": one.publisher_id,
        "event_type": one.event_type, "priority": one.priority,
        "payload": one.payload, "timestamp": one.timestamp,
        "context": one.context}, "2026-11-23T10:00:00.000000Z")
        for one in sent]
    return [{**one, "event_id": events.event_id(one["project_id"],
                                                one["event_id"])}
            for one in made]


def cloud(nova_format: str = "unversioned", **options) -> list[dict]:
    """Return the events of a cloud's day."""
    return normalised(notifications(nova_format, **options))
