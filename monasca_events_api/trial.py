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


"""Trying a rule on one event, and telling why it did or did not fire.

The same patterns, groups and triggers decide here as in the engine. Pure:
the event, what is stored and the time are arguments; nothing is kept.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import datetime

import orjson

from monasca_events_api import canonical
from monasca_events_common import event as events
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import firing as firings
from monasca_events_common.rules import groups as grouping
from monasca_events_common.rules import restraint
from monasca_events_common.rules.groups import Groups
from monasca_events_common.rules.trigger import Rule
from monasca_events_common.rules.trigger import seconds

_EARLIEST = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
_LATEST = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)


def complete_event(given, project_id: str, now: datetime.datetime) -> dict:
    """Return a canonical event of what somebody wrote, with defaults.

    Its id, its time and what only a delegate may set are taken as they are,
    for the event goes nowhere.

    :raises Rejected, Forbidden: it is none, or another project's
    """
    if type(given) is not dict:
        raise Rejected("event is no object; expected an event such as "
                       '{"event_type": …}', code="invalid_event",
                       where="event")
    if given.get("project_id") not in (None, project_id):
        raise Forbidden("event.project_id is another project than the "
                        "token's", code="forbidden_project",
                        where="event.project_id")
    text = events.format_time(now)
    try:
        made = canonical.complete(given, project_id, canonical.Arrival(
            now, text, _EARLIEST, _LATEST, trusted=True))
    except Rejected as error:
        raise type(error)(f"event: {error}", code=error.code,
                          where=f"event.{error.where or ''}".rstrip(".")
                          ) from None
    made["marks"] = given.get("marks") or {}
    if given.get("event_id"):
        made["event_id"] = given["event_id"]
    return made


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """How a rule takes an event.

    :ivar matched: slots whose pattern the event matches
    :ivar slots: what the answer says of each slot
    """

    matched: tuple[str, ...]
    slots: list[dict]

    @property
    def summary(self) -> str:
        """A sentence on the match."""
        if self.matched:
            return "the event matches " + " and ".join(self.matched)
        return "the event matches nothing: " + "; ".join(
            f"{one['slot']}: {one['mismatch']['text']}"
            for one in self.slots[:3])


def match(rule: Rule, event: Mapping) -> Trial:
    """Return which patterns an event matches and why not the others."""
    slots, matched = [], []
    for slot, pattern in rule.patterns.items():
        found = pattern.mismatch(event)
        if found is None:
            matched.append(slot)
            slots.append({"slot": slot, "matches": True, "mismatch": None,
                          "key": rule.key(event, slot)})
        else:
            slots.append({"slot": slot, "matches": False, "mismatch": {
                **dataclasses.asdict(found), "text": found.text()},
                "key": None})
    return Trial(tuple(matched), slots)


def attempt(rule: Rule, event: Mapping, methods: Mapping[str, str]) -> dict:
    """Return what a rule would do with an event, were it the first one.

    :param methods: id → type of the notification methods that it names
    """
    tried = match(rule, event)
    found, waits = [], []
    if tried.matched:
        asked = grouping.requests(event, [(rule, tried.matched)])
        groups = Groups()
        found = groups.observe(event, asked)
        waits = [group.trigger.describe(seconds(event["timestamp"]))
                 for group in groups.live.values() if not group.is_idle]
    made = [render(rule, group.key, finding, methods)
            for group, finding in found]
    says = [tried.summary, *(
        f"{one['outcome']}: {one['reason']}" for one in made), *waits]
    if tried.matched and not made and not waits:
        says.append("nothing comes of it by itself")
    return {"event": event, "cost": rule.cost,
            "matches": bool(tried.matched), "slots": tried.slots,
            "firings": made, "waits": waits, "summary": "; ".join(says)}


def render(rule: Rule, key: Mapping, finding: firings.Finding,
           methods: Mapping[str, str]) -> dict:
    """Return a firing as it would be sent, and who would get it.

    :param methods: id → type of the notification methods that there are
    """
    made = firings.content(
        rule, key, finding, project_id=rule.project_id,
        subject_project_id=rule.project_id,
        hold=restraint.hold(rule.settings, finding.at))
    wanted = (rule.settings.get("notify") or {}).get(finding.outcome, ())
    return {**made, "notifications": [
        {"method_id": one, "action": methods[one]}
        for one in wanted if one in methods]}


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """What is stored of a trigger.

    :ivar enabled: whether the engine judges by it
    :ivar changed_at: canonical time of its last change
    :ivar states: of the groups of the event, as the engine keeps them:
        group id → (state as JSON, deadline)
    :ivar fired: firings that list the event, as the API shows them
    """

    enabled: bool
    changed_at: str
    states: Mapping[bytes, tuple[str, float | None]]
    fired: Sequence[dict]


def explain(rule: Rule, event: Mapping, past: Past, now: float) -> dict:
    """Return why a trigger did, did not, or may still fire for an event.

    :param now: seconds since the epoch
    """
    tried = match(rule, event)
    waiting = []
    for wanted, _, key, slots in grouping.requests(
            event, [(rule, tried.matched)] if tried.matched else []):
        waiting.append({"key": key, "slots": list(slots), **_state(
            rule, past.states.get(wanted), now)})
    muted = restraint.hold({**rule.settings, "dry_run": False},
                           seconds(event["timestamp"])) == "muted"
    says = [tried.summary]
    if not past.enabled:
        says.append("the trigger is disabled")
    for one in past.fired:
        held = next((name for name in firings.HOLDS if one[name]), None)
        says.append(f"{one['outcome']} at {one['at']}: {one['reason']}"
                    + (f" ({held}: recorded, not delivered)" if held else ""))
    if tried.matched and not past.fired:
        says.extend(f"of {_named(one['key'])}: {one['waits_for']}"
                    for one in waiting if one["waits_for"])
        if not any(one["waits_for"] for one in waiting) and past.enabled:
            says.append(_silence(rule, event, past, muted))
    return {"event_id": event["event_id"], "cost": rule.cost,
            "enabled": past.enabled, "muted": muted,
            "dry_run": bool(rule.settings.get("dry_run")),
            "matches": bool(tried.matched), "slots": tried.slots,
            "fired": bool(past.fired), "firings": list(past.fired),
            "groups": waiting, "summary": "; ".join(says)}


def _state(rule: Rule, stored: tuple[str, float | None] | None, now: float
           ) -> dict:
    """Return what the engine remembers of a group, in words and numbers."""
    if stored is None:
        return {"waits_for": None, "deadline": None, "seconds_left": None}
    state, deadline = stored
    trigger = rule.make()
    content = orjson.loads(state)
    if content is not None:
        trigger.load(content)
    if deadline is not None:
        trigger.deadline = deadline
    at = trigger.deadline
    return {"waits_for": trigger.describe(now),
            "deadline": None if at is None else firings.format_seconds(at),
            "seconds_left": None if at is None
            else round(max(0.0, at - now), 3)}


def _silence(rule: Rule, event: Mapping, past: Past, muted: bool) -> str:
    """Return why nothing shows of an event that matched."""
    if event["received_at"] < past.changed_at:
        return (f"the trigger was changed at {past.changed_at}, after the "
                "event had come")
    if not rule.is_ordered:
        return "the firing is not recorded yet, or no longer"
    return ("nothing is under way and nothing was found: what the event "
            "belonged to has ended well, or the engine has not come to it "
            "yet" + ("; the time is muted" if muted else ""))


def _named(key: Mapping) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items()) \
        or "the whole project"
