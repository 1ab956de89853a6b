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


"""``/v1.0/services``: how the services stand, for operators.

Nobody reports to the API. What it tells is what the bus knows of consumers
and what the dead letters' database knows of what stopped; a part that cannot
be asked is named and hides nothing of the others.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pecan

from monasca_events_api import documents
from monasca_events_api.controllers import resource
from monasca_events_api.policies import services as rules
from monasca_events_common.bus import Group
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Unavailable

#: Parts that this process works with itself.
_PARTS = ("bus", "store", "identity", "database")


class ServicesController:
    """The collection."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @pecan.expose()
    def _lookup(self, name, *rest):
        resource.check_id(name)
        return ServiceController(self._parts, name), rest

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        resource.caller(parts, req, rules.LIST)
        found, errors = describe(parts)
        health = {name: getattr(parts, name).health() for name in _PARTS}
        return resource.answer({
            "services": found,
            "parts": {name: {"ok": one.ok, "detail": one.detail}
                      for name, one in health.items()},
            "errors": errors}, headers={"Cache-Control": "no-store"})


class ServiceController:
    """One service."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, name: str) -> None:
        self._parts = parts
        self._name = name
        self.resume = ResumeController(parts, name)

    @resource.reads(index)
    def show(self, req, resp):
        resource.caller(self._parts, req, rules.LIST)
        found, errors = describe(self._parts)
        one = next((one for one in found if one["name"] == self._name), None)
        if one is None:
            raise NotFound(f"nothing is known of a service {self._name!r}")
        return resource.answer({**one, "errors": errors},
                               headers={"Cache-Control": "no-store"})


def describe(parts: resource.Parts) -> tuple[list[dict], dict[str, str]]:
    """Return how each service stands, and which part could not be asked."""
    wanted: Mapping[str, str] = parts.conf.api.groups
    groups, bus_error = _ask(lambda: {
        one.name: one for one in parts.bus.groups(
            parts.conf.bus.topic, list(wanted.values()))})
    breakers, error = _ask(parts.dead_letters.breakers)
    letters = None
    if error is None:
        letters, error = _ask(parts.dead_letters.count)
    stages = sorted({*wanted, *(breakers or ()),
                     *(stage for stage, _ in letters or ())})
    found = []
    for stage in stages:
        group = (groups or {}).get(wanted.get(stage))
        tripped = (breakers or {}).get(stage)
        found.append({
            "name": stage, "state": _state(group, tripped),
            "group": wanted.get(stage), **_consuming(group),
            "breaker": tripped and {"reason": tripped[0],
                                    "tripped_at": tripped[1]},
            "dead_letters": {code: number for (of, code), number
                             in (letters or {}).items() if of == stage}})
    return found, {name: said for name, said in (
        ("bus", bus_error), ("dead_letters", error)) if said is not None}


class ResumeController:
    """``…/resume``: let a service go on whose breaker tripped."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, name: str) -> None:
        self._parts = parts
        self._name = name

    @index.when("POST")
    def post(self, req, resp):
        resource.caller(self._parts, req, rules.RESUME)
        documents.take(documents.read_options(req.environ))
        if not self._parts.dead_letters.resume(self._name):
            raise Conflict(f"{self._name} does not stand still",
                           code="not_tripped")
        return resource.answer({"name": self._name}, status=202)


def _ask(question: Callable[[], Any]) -> tuple[Any, str | None]:
    """Return an answer and None, or None and why there is none."""
    try:
        return question(), None
    except Unavailable as error:
        return None, str(error)


def _state(group: Group | None, tripped) -> str:
    """Return in a word how a service stands."""
    if tripped:
        return "stopped"
    if group is None:
        return "unknown"
    return "up" if group.members else "down"


def _consuming(group: Group | None) -> dict[str, Any]:
    if group is None:
        return {"members": [], "lag": None}
    return {
        "members": [{"id": one.id, "host": one.host,
                     "partitions": list(one.partitions)}
                    for one in group.members],
        "lag": {"records": sum(group.lag.values()),
                "partitions": {str(partition): number for partition, number
                               in group.lag.items()}}}
