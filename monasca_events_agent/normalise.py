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

from msgspec import to_builtins
import orjson

from monasca_events_agent import fit
from monasca_events_agent import paths
from monasca_events_agent.definitions import Definitions
from monasca_events_agent.definitions import Plan
from monasca_events_agent.recipe import Recipe
from monasca_events_agent.recipe import recipe_for
from monasca_events_agent.redact import redact
from monasca_events_agent.redact import Redacted
from monasca_events_agent.redact import redact_text
from monasca_events_agent.sources import NOTIFICATION
from monasca_events_agent.tenants import PROJECT_ID
from monasca_events_agent.tenants import Tenants
from monasca_events_agent.traits import moment
from monasca_events_agent.traits import plain_time
from monasca_events_agent.traits import string
from monasca_events_agent.wire import Notification
from monasca_events_agent.wire import read
from monasca_events_common import event
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.event import MAX_STRING

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
        # Which of two formats is not kept: whether the versioned one.
        self._unwanted = {"legacy": True, "versioned": False}.get(keep_format)
        self._limits = limits
        self._most = limits.event_bytes - _MARGIN
        # What is left of that for the payload and the traits.
        self._room = self._most - _FIELDS_BYTES
        self._mint = mint
        self._publishers: dict[str, tuple] = {}
        self._window = ("", "", "")

    def __call__(self, notification: Mapping, received_at: str,
                 source: str = NOTIFICATION) -> dict:
        """Same as :meth:`normalise`, so that a pipeline takes a function."""
        return self.normalise(notification, received_at, source)

    def normalise(self, notification: Mapping, received_at: str,
                  source: str = NOTIFICATION) -> dict:
        """Return the canonical event; ``event_id`` is the source's own id.

        :param notification: the inner message, context as ``_context_*`` keys
            or as a mapping under ``context``
        :param received_at: when ours first saw it, canonical text
        :param source: by which road it came
        :raises Rejected: it can never be an event
        :raises Dropped: a policy says so
        """
        wire = read(notification)
        versioned = wire.wrapper is not None
        plan = self._definitions.choose(wire.event_type, versioned)
        if plan.discard:
            raise Dropped("discarded_by_definition")
        if plan.twin and versioned == self._unwanted:
            raise Dropped("other_format_kept")

        body = redact(wire.payload, plan.rules, depth=self._limits.depth,
                      wrapper=wire.wrapper, likely=wire.event_type)
        if plan.drops:
            body.own()
            for path in plan.drops:
                paths.remove(body.payload, path)
        if body.keys > self._limits.keys:
            body.own()
            fit.fit_keys(body.payload, self._limits.keys, body.truncated)

        return self._event(wire, plan, body, received_at, source)

    def _event(self, wire: Notification, plan: Plan, body: Redacted,
               received_at: str, source: str) -> dict:
        marks: dict = {}
        payload = body.payload
        shape = body.shape
        recipe = (shape and shape.recipes.get(plan)) or recipe_for(plan, shape)
        find_resource, _project, find_user, find_domain, find_request, \
            find_global_request = recipe.finders
        if body.parsed is None:
            resource_id = project_id = user_id = domain_id = request_id = \
                global_request_id = None
            traits = {}
        else:
            ids = recipe.ids(body.parsed)
            if body.longest > MAX_STRING:
                ids = [one and one[:MAX_STRING] for one in ids]
            (resource_id, project_id, user_id, domain_id, request_id,
             global_request_id) = ids
            traits = to_builtins(recipe.traits(*recipe.take(body.parsed)))
        publisher_id, service, host = self._publishers.get(
            wire.publisher_id) or self._publisher(wire.publisher_id)
        _complete(traits, recipe, body)
        if "service" not in traits and (service := plan.service or service):
            traits["service"] = service
        if host and "host" not in traits:
            traits["host"] = host
        timestamp = self._timestamp(wire.timestamp, received_at, marks)
        if project_id not in self._tenants.known:
            project_id, known = self._tenants.find(
                payload, recipe.projects, wire.project_id)
            if not known:
                marks["tenant_unknown"] = True
        user_id = user_id or (find_user and find_user(payload)) \
            or wire.user_id
        if wire.user_id != user_id:
            _add(traits, "initiator_user_id", wire.user_id)
        if wire.project_id != project_id:
            _add(traits, "initiator_project_id", wire.project_id)
        if wire.wrapper is not None:
            _name_object(traits, wire)
        made = {
            "event_id": wire.source_id(body, self._mint),
            "project_id": project_id,
            "event_type": wire.event_type,
            "timestamp": timestamp,
            "received_at": received_at,
            "publisher_id": publisher_id,
            "priority": wire.priority,
            "source": source,
            "resource_type": plan.resource_type,
            "resource_id": resource_id
            or (find_resource and find_resource(payload)),
            "user_id": user_id,
            "domain_id": domain_id or (find_domain and find_domain(payload))
            or wire.domain_id,
            "request_id": wire.request_id or request_id
            or (find_request and find_request(payload)),
            "global_request_id": wire.global_request_id or global_request_id
            or (find_global_request and find_global_request(payload)),
            "traits": traits,
            "dimensions": {},
            "payload": payload,
            "marks": marks}
        # No trait is longer than the payload it was taken from; most events
        # are so small that this is enough and they need no measuring.
        if body.redacted or body.truncated \
                or body.size * (len(traits) + 1) > self._room:
            self._mark(made, body)
        return made

    def _timestamp(self, given, received_at: str, marks: dict) -> str:
        """Return when it happened, received_at where nobody knows."""
        try:
            text = plain_time(given) \
                or event.format_time(event.parse_time(given))
        except Rejected:
            marks["clock_skew"] = _shown(given)
            return received_at
        received, earliest, latest = self._window
        if received != received_at:
            # A batch shares one; the three are replaced as a whole.
            moment = event.parse_time(received_at)
            earliest = event.format_time(moment - SKEW)
            latest = event.format_time(moment + SKEW)
            self._window = received_at, earliest, latest
        # Canonical text sorts as the times do.
        if not earliest <= text <= latest:
            marks["clock_skew"] = _shown(given)
        return text

    def _publisher(self, publisher_id: str | None) -> tuple:
        """Return the publisher, and the service and host that it names."""
        if publisher_id is None:
            return None, None, None
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
        bound = body.size * (len(made["traits"]) + 1) + 6 * 256 * (
            len(body.redacted) + len(body.truncated))
        if bound > self._room and len(orjson.dumps(made)) > self._most:
            _shrink(made, body, self._most)


def _complete(traits: dict, recipe: Recipe, body: Redacted) -> None:
    """Add what is not as it should be, and bound all."""
    for name in recipe.nullable:
        if traits.get(name) == "":
            del traits[name]
    for name in recipe.times:
        value = traits.get(name)
        if value is not None:
            value = plain_time(value) or moment(value)
            if value is None:
                del traits[name]
            else:
                traits[name] = value
    longest = body.longest
    payload = body.payload
    for name, convert, getters in recipe.rest:
        if name in traits:
            continue
        for get in getters:
            value = get(payload)
            if value is not None and value != "":
                if type(value) is not str or convert is not string:
                    value = convert(value)
                if value is not None:
                    traits[name] = value
                    if type(value) is str and len(value) > MAX_STRING:
                        longest = len(value)
                    break
    if longest > MAX_STRING:
        for name, value in traits.items():
            if type(value) is str and len(value) > MAX_STRING:
                traits[name] = value[:MAX_STRING - 1] + "…"
                body.truncated.append(f"traits.{name}")


def _shrink(made: dict, body: Redacted, limit: int) -> None:
    """Cut an event to ``limit`` bytes, and say where.

    The payload gives way first. Only a hostile sender makes marks and traits
    of such a size that they have to follow.
    """
    marks = made["marks"]
    body.own()
    made["payload"] = body.payload
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


def _shown(given) -> str:
    return str(given)[:64].encode("utf-8", "replace").decode()


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
