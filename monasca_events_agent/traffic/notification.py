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


"""A notification as a value: what a service hands to its notifier."""

from collections.abc import Mapping
import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """The place of a notification in a pair of start and end.

    :ivar operation: the event type without its last word
    :ivar edge: that word: ``start``, ``end`` or ``error``
    :ivar ends: at a start, how it will end: ``end``, ``error`` or ``never``
    :ivar start_message_id: at an end, the id of the notification it answers
    :ivar duration: at an end, seconds since that notification
    """

    operation: str
    edge: str
    ends: str | None = None
    start_message_id: str | None = None
    duration: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Notification:
    """One notification, complete, with what is to be expected of it.

    :ivar context: what travels as ``_context_*``; empty for services that
        send none
    :ivar timestamp: as oslo.messaging writes it: UTC, no zone, and no
        fraction when it is zero
    :ivar project_id: whose event it must become; None where nothing in it
        names a project
    :ivar resource_id: what it is about, where that is one thing
    :ivar service: the name by which the generator knows the sender
    :ivar life: number of the lifecycle it belongs to
    :ivar canary: the secret planted in it and where, or None
    :ivar copy: 1, or more for a repetition of an earlier one
    """

    context: Mapping
    publisher_id: str
    event_type: str
    priority: str
    payload: Mapping
    message_id: str
    timestamp: str
    project_id: str | None = None
    resource_id: str | None = None
    service: str = ""
    life: int = 0
    span: Span | None = None
    canary: tuple[str, str] | None = None
    copy: int = 1

    def message(self) -> dict:
        """Return the inner message of the wire, ``oslo.message`` decoded."""
        message = {"message_id": self.message_id,
                   "publisher_id": self.publisher_id,
                   "event_type": self.event_type,
                   "priority": self.priority,
                   "payload": self.payload,
                   "timestamp": self.timestamp}
        for name, value in self.context.items():
            message[f"_context_{name}"] = value
        return message


def wire_time(moment: datetime.datetime) -> str:
    """Return a moment in UTC as oslo.messaging's notifier writes it."""
    return str(moment.replace(tzinfo=None))
