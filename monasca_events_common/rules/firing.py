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

"""The firing: what a trigger found, as a value.

Made by triggers, kept in the history with the events that caused it, handed
to actions. Its id follows from what it says, so that the same finding made
twice, after a crash or by a repeat of an event, is the same firing.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import datetime
import uuid

import orjson

from monasca_events_common import event as events

FIRED = "fired"
MISSED = "missed"
RECOVERED = "recovered"

#: What a firing may say: it happened; it did not happen in time; it happened
#: after all.
OUTCOMES = (FIRED, MISSED, RECOVERED)

#: Ids of causing events that a firing lists. ``event_count`` says how many
#: there were.
MAX_EVENT_IDS = 100

#: Bytes of an event that goes with a firing whole; of a larger one only the
#: head does.
MAX_EVENT = 64 * 1024

#: Why a firing is only recorded and not delivered.
HOLDS = ("dry_run", "muted", "limited")

# Root of the name-based ids of firings (RFC 9562, version 5). Changing it
# makes every repeated finding a second firing.
_NAMESPACE = uuid.UUID("0c6d8a57-6a34-5c0e-8d7e-5a5d0d0a7b42")


@dataclasses.dataclass(slots=True)
class Finding:
    """What a trigger returns; the engine adds whose it is.

    :ivar outcome: one of OUTCOMES
    :ivar at: seconds since the epoch, event time: of the event that completed
        it, or of the deadline that passed
    :ivar event_ids: the events that caused it, oldest first, the newest
        MAX_EVENT_IDS of them
    :ivar reason: one sentence for people
    :ivar value: what was measured (a count, a duration in seconds), if any
    :ivar values: further measures by name, for summaries
    :ivar event_count: number of causing events, where more than are listed
    :ivar event: the canonical event that completed it, or its bytes, for
        actions
    :ivar lineage: ``hops`` and ``origin``, where derived events led to it
    """

    outcome: str
    at: float
    event_ids: Sequence[str] = ()
    reason: str = ""
    value: float | int | None = None
    values: Mapping[str, float | int | None] | None = None
    event_count: int | None = None
    event: Mapping | bytes | None = None
    lineage: Mapping | None = None


def firing_id(trigger_id: str, version: str, key: Mapping,
              finding: Finding) -> str:
    """Return the identity of a finding: trigger, group, outcome, cause."""
    cause = finding.event_ids[-1] if finding.event_ids else ""
    name = orjson.dumps([trigger_id, version, key, finding.outcome,
                         finding.at, cause], option=orjson.OPT_SORT_KEYS)
    return str(uuid.uuid5(_NAMESPACE, name.decode()))


def content(rule, key: Mapping, finding: Finding, *, project_id: str,
            subject_project_id: str, hold: str | None = None) -> dict:
    """Return a firing as it is kept, shown and sent.

    :param rule: the :class:`~monasca_events_common.rules.trigger.Rule`
    :param project_id: whose firing it is
    :param subject_project_id: whose events they are
    :param hold: one of HOLDS, None for one that is delivered
    """
    made = {
        "firing_id": firing_id(rule.id, rule.version, key, finding),
        "trigger_id": rule.id, "trigger_name": rule.name,
        "severity": rule.severity, "outcome": finding.outcome,
        "key": key, "at": format_seconds(finding.at),
        "event_ids": list(finding.event_ids), "reason": finding.reason,
        "value": finding.value, **{name: hold == name for name in HOLDS},
        "project_id": project_id, "subject_project_id": subject_project_id,
        "event": _shortened(finding.event)}
    if finding.lineage is not None:
        made["marks"] = finding.lineage
    if finding.values is not None:
        made["values"] = finding.values
    if finding.event_count is not None:
        made["event_count"] = finding.event_count
    return made


def format_seconds(at: float) -> str:
    """Return seconds since the epoch as a canonical time."""
    return events.format_time(datetime.datetime.fromtimestamp(
        at, datetime.timezone.utc))


def _shortened(event: Mapping | bytes | None):
    """Return what stands for the event; bytes are not decoded on the way."""
    if type(event) is bytes:
        if len(event) <= MAX_EVENT:
            return orjson.Fragment(event)
        event = orjson.loads(event)
    elif event is None or len(orjson.dumps(event)) <= MAX_EVENT:
        return event
    return {**event, "payload": None, "marks": {
        **event["marks"], "truncated": ["payload"]}}
