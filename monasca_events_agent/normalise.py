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


"""The normaliser: a notification in, the canonical event out.

The pipeline calls it for every notification, between the filter and the
spool. It is pure: definitions, limits and time are arguments, and the same
notification makes the same event. It loses nothing on its own account: what
exceeds a limit is cut and marked, what can never be an event is refused with
a code, and what a documented policy drops is dropped by name.
"""

from collections.abc import Callable
from collections.abc import Mapping
import datetime
import uuid

import orjson

from monasca_events_agent import fit
from monasca_events_agent import paths
from monasca_events_agent.definitions import Definitions
from monasca_events_agent.definitions import Plan
from monasca_events_agent.redact import redact
from monasca_events_agent.redact import Redacted
from monasca_events_agent.redact import redact_text
from monasca_events_agent.tenants import PROJECT_ID
from monasca_events_agent.tenants import Tenants
from monasca_events_agent.wire import Notification
from monasca_events_common import event
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.event import MAX_STRING

#: Where an event that came as a notification says it came from.
SOURCE = "notification"

#: Values of the option ``keep_format``.
KEEP_FORMATS = ("both", "legacy", "versioned")

#: Paths that a mark lists; the last one says how many more there were.
MAX_PATHS = 100

#: A difference between the producer's clock and ours that is worth a mark.
SKEW = datetime.timedelta(hours=1)

#: What one event may be, unless the caller says otherwise.
LIMITS = event.Limits()

# What the API may add to an event after its size was checked here.
_MARGIN = 1024
# Publishers that are remembered; they hold host names.
_PUBLISHERS = 20000
# Bytes of the fields beside payload, traits and marks at most.
_FIELDS_BYTES = 8 * 6 * MAX_STRING + 4096


class Dropped(EventsError):
    """A documented policy says that this notification becomes no event.

    :ivar reason: a stable word, to count by
    """

    code = "dropped"

    def __init__(self, reason: str) -> None:
        super().__init__(f"dropped: {reason}", code=reason)
        self.reason = reason


class Normaliser:
    """Makes canonical events of notifications. Safe to use from threads."""

    def __init__(self, definitions: Definitions, operator_project_id: str,
                 keep_format: str = "both",
                 limits: event.Limits = LIMITS, *,
                 project_id_pattern: str = PROJECT_ID,
                 mint: Callable[[], str] = lambda: str(uuid.uuid4())) -> None:
        """
        :param operator_project_id: gets the events of no known project
        :param keep_format: which of nova's formats is kept where it emits the
            same fact in both: ``both``, ``legacy`` or ``versioned``
        :param project_id_pattern: what a project id looks like
        :param mint: gives an id to a notification that has neither id nor
            time of its own
        :raises Misconfigured: one of these cannot work
        """
        if keep_format not in KEEP_FORMATS:
            raise Misconfigured(f"keep_format is {keep_format!r}; expected "
                                "one of " + ", ".join(KEEP_FORMATS))
        self._definitions = definitions
        self._tenants = Tenants(operator_project_id, project_id_pattern)
        self._keep_format = keep_format
        self._limits = limits
        self._mint = mint
        self._publishers: dict[str, tuple] = {}
        self._received = ("", datetime.datetime.min)

    def __call__(self, notification: Mapping, received_at: str) -> dict:
        """Same as :meth:`normalise`, so that a pipeline takes a function."""
        return self.normalise(notification, received_at)

    def normalise(self, notification: Mapping, received_at: str) -> dict:
        """Return the canonical event; ``event_id`` is the source's own id.

        :param notification: the inner message, context as ``_context_*`` keys
            or as a mapping under ``context``
        :param received_at: when ours first saw it, canonical text
        :raises Rejected: it can never be an event
        :raises Dropped: a policy says so
        """
        wire = Notification(notification)
        versioned = wire.versioned
        plan = self._definitions.choose(wire.event_type, versioned)
        if plan.discard:
            raise Dropped("discarded_by_definition")
        if plan.twin and self._keep_format == (
                "legacy" if versioned else "versioned"):
            raise Dropped("other_format_kept")

        body = redact(wire.payload, plan.rules, depth=self._limits.depth,
                      wrapper=wire.wrapper)
        payload = body.payload
        for path in plan.drops:
            paths.remove(payload, path)
        if body.keys > self._limits.keys:
            fit.fit_keys(payload, self._limits.keys, body.truncated)
            body.encoded = orjson.dumps(payload)

        marks: dict = {}
        timestamp = self._timestamp(wire.timestamp, received_at, marks)
        project_id, known = self._tenants.find(
            payload, plan.getters["project_id"], wire.project_id)
        if not known:
            marks["tenant_unknown"] = True
        made = self._event(wire, plan, body, project_id, timestamp,
                           received_at, marks)
        self._mark(made, body)
        return made

    def _event(self, wire: Notification, plan: Plan, body: Redacted,
               project_id: str, timestamp: str, received_at: str,
               marks: dict) -> dict:
        payload = body.payload
        getters = plan.getters
        publisher_id, service, host = self._publisher(wire.publisher_id)
        user_id = _id(payload, getters["user_id"]) or wire.user_id
        traits = self._traits(payload, plan, body)
        _add(traits, "service", plan.service or service)
        _add(traits, "host", host)
        if wire.user_id != user_id:
            _add(traits, "initiator_user_id", wire.user_id)
        if wire.project_id != project_id:
            _add(traits, "initiator_project_id", wire.project_id)
        if wire.wrapper is not None:
            _name_object(traits, wire)
        return {
            "event_id": wire.source_id(body.encoded, self._mint),
            "project_id": project_id,
            "event_type": wire.event_type,
            "timestamp": timestamp,
            "received_at": received_at,
            "publisher_id": publisher_id,
            "priority": wire.priority,
            "source": SOURCE,
            "resource_type": plan.resource_type,
            "resource_id": _id(payload, getters["resource_id"]),
            "user_id": user_id,
            "domain_id": _id(payload, getters["domain_id"]) or wire.domain_id,
            "request_id": wire.request_id
            or _id(payload, getters["request_id"]),
            "global_request_id": wire.global_request_id
            or _id(payload, getters["global_request_id"]),
            "traits": traits,
            "dimensions": {},
            "payload": payload,
            "marks": marks}

    def _traits(self, payload: dict, plan: Plan, body: Redacted) -> dict:
        traits = {}
        for name, convert, key, getters in plan.traits:
            if key is not None:
                value = payload.get(key)
                if value is not None and value != "":
                    value = convert(value)
                    if value is not None:
                        traits[name] = value
                        continue
            for get in getters:
                value = get(payload)
                if value is not None and value != "":
                    value = convert(value)
                    if value is not None:
                        traits[name] = value
                        break
        for name, value in traits.items():
            if type(value) is str and len(value) > MAX_STRING:
                traits[name] = value[:MAX_STRING - 1] + "…"
                body.truncated.append(f"traits.{name}")
        return traits

    def _timestamp(self, given, received_at: str, marks: dict) -> str:
        """Return when it happened, received_at where nobody knows."""
        try:
            moment = _wire_time(given) or event.parse_time(given)
        except Rejected:
            marks["clock_skew"] = _shown(given)
            return received_at
        received = self._received
        if received[0] != received_at:
            # A batch shares one; the pair is replaced as a whole.
            received = received_at, event.parse_time(received_at)
            self._received = received
        if abs(moment - received[1]) > SKEW:
            marks["clock_skew"] = _shown(given)
        return event.format_time(moment)

    def _publisher(self, publisher_id: str | None) -> tuple:
        """Return the publisher, and the service and host that it names."""
        if publisher_id is None:
            return None, None, None
        known = self._publishers.get(publisher_id)
        if known is None:
            safe = redact_text(publisher_id)[:MAX_STRING]
            parts = safe.split(":" if ":" in safe else ".", 1)
            host = parts[1] if len(parts) > 1 else None
            # Cinder says groupType.None where there is no host.
            known = (safe, parts[0] or None,
                     None if host in ("", "None") else host)
            if len(self._publishers) >= _PUBLISHERS:
                self._publishers.clear()
            self._publishers[publisher_id] = known
        return known

    def _mark(self, made: dict, body: Redacted) -> None:
        """Say what was done, and make the event fit when it does not."""
        marks = made["marks"]
        if body.redacted:
            marks["redacted"] = _listed(body.redacted)
        if body.truncated:
            marks["truncated"] = _listed(body.truncated)
        limit = self._limits.event_bytes - _MARGIN
        # No trait is longer than the payload it was taken from; most events
        # are so small that this is enough and they need no measuring.
        bound = len(body.encoded) * (len(made["traits"]) + 1) \
            + _FIELDS_BYTES + 6 * 256 * (len(body.redacted)
                                         + len(body.truncated))
        if bound > limit and len(orjson.dumps(made)) > limit:
            _shrink(made, body, limit)


def _shrink(made: dict, body: Redacted, limit: int) -> None:
    """Cut an event to ``limit`` bytes, and say where.

    The payload gives way first. Only a hostile sender makes marks and traits
    of such a size that they have to follow.
    """
    marks = made["marks"]
    for paths_shown in (MAX_PATHS, 10, 1):
        if body.redacted:
            marks["redacted"] = _listed(body.redacted, paths_shown)
        if paths_shown < MAX_PATHS:
            for name, value in made["traits"].items():
                if type(value) is str and len(value) > fit.SHORTEST:
                    made["traits"][name] = value[:fit.SHORTEST]
                    body.truncated.append(f"traits.{name}")
        rest = len(orjson.dumps({**made, "payload": {}}))
        # Naming what was cut takes room as well, hence the second time.
        for _ in range(2):
            fit.fit_bytes(body.payload, max(limit - rest, 2), body.truncated)
            marks["truncated"] = _listed(body.truncated, paths_shown)
            size = len(orjson.dumps(made))
            if size <= limit:
                return
            rest += size - limit


def _wire_time(given) -> datetime.datetime | None:
    """Return the time in the form that oslo.messaging writes; else None.

    Nearly all have it, and the general way costs four times as much.
    """
    if type(given) is str and len(given) == 26 and given[19] == ".":
        try:
            return datetime.datetime.fromisoformat(given + "+00:00")
        except ValueError:
            pass
    return None


def _shown(given) -> str:
    return str(given)[:64].encode("utf-8", "replace").decode()


def _id(payload: dict, getters: tuple) -> str | None:
    for get in getters:
        found = get(payload)
        if type(found) is str and found:
            return found if len(found) <= MAX_STRING else found[:MAX_STRING]
        if type(found) is int:
            return str(found)
    return None


def _add(traits: dict, name: str, value) -> None:
    if value is not None and name not in traits:
        traits[name] = value


def _name_object(traits: dict, wire: Notification) -> None:
    """Keep the name and version of the object whose wrapper is gone."""
    prefix = wire.wrapper.removesuffix("data")
    for name in ("name", "version"):
        value = wire.payload.get(prefix + name)
        if type(value) is str and 0 < len(value) <= 64 and value.isascii():
            traits[prefix + name] = value


def _listed(found: list[str], most: int = MAX_PATHS) -> list[str]:
    once = list(dict.fromkeys(found))
    if len(once) > most:
        more = len(once) - most + 1
        once[most - 1:] = [f"and {more} more"]
    return once
