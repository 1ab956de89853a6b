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

"""Monasca: its alarms, and definitions that are of one resource only.

An alarm is what Monasca's threshold engine made of a definition for certain
metrics. It is removed where all of its metrics have the instance's dimension;
its definition stays, for it makes the alarms of other instances too. Only a
definition every part of whose expression names the instance is removed
itself, and its alarms with it. Monasca's API knows nothing of other projects,
so the account's credentials are asked for a token of each project: it needs a
role in all of them.
"""

from collections.abc import Iterator, Mapping
import re
import urllib.parse

from oslo_config import cfg

from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_engine import account
from monasca_events_engine.account import Accounts
from monasca_events_engine.alarms import Alarm
from monasca_events_engine.alarms import ALARM
from monasca_events_engine.alarms import AlarmService
from monasca_events_engine.alarms import DEFINITION
from monasca_events_engine.alarms import Subjects

# What joins the parts of an expression.
_JOINS = re.compile(r"\band\b|\bor\b|&&|\|\|", re.IGNORECASE)
_DIMENSIONS = re.compile(r"\{([^{}]*)\}")

# What a definition is made of.
_ESSENCE = ("name", "description", "expression", "match_by", "severity",
            "actions_enabled", "alarm_actions", "ok_actions",
            "undetermined_actions")


class Monasca(AlarmService):
    """Speaks with Monasca's API, version 2.0."""

    GROUP = "monasca"
    OPTS = [
        *account.opts("monitoring", "Monasca"),
        cfg.StrOpt("instance_dimension", default="resource_id", mutable=True,
                   help="The dimension of Monasca's metrics that holds the "
                        "id of an instance."),
    ]

    def __init__(self, conf, accounts: Accounts, name: str) -> None:
        super().__init__(conf, accounts, name)
        self._service = accounts.service(conf, "Monasca")

    def watching(self, project_id: str | None
                 ) -> Iterator[tuple[Alarm, Subjects]]:
        return self._watching(project_id, {})

    def find(self, project_id: str, instance_id: str) -> list[Alarm]:
        dimension = f"{self.conf.instance_dimension}:{instance_id}"
        return [alarm for alarm, subjects
                in self._watching(project_id, {
                    "alarms": {"metric_dimensions": dimension},
                    "alarm-definitions": {"dimensions": dimension}})
                if instance_id in subjects]

    def _watching(self, project_id: str | None,
                  filters: Mapping[str, Mapping[str, str]]
                  ) -> Iterator[tuple[Alarm, Subjects]]:
        if project_id is None:
            raise Rejected("Monasca tells of one project at a time; name "
                           "projects", code="project_needed")
        taken = set()
        for one in self._list(project_id, "alarm-definitions", filters):
            found = only_about(one["expression"],
                               self.conf.instance_dimension)
            if found is not None:
                taken.add(one["id"])
                yield Alarm(self.name, one["id"], project_id, one["name"],
                            DEFINITION, one), {found: False}
        for one in self._list(project_id, "alarms", filters):
            definition = one.get("alarm_definition") or {}
            found = self._only(one)
            if found is not None and definition.get("id") not in taken:
                yield Alarm(self.name, one["id"], project_id,
                            definition.get("name") or one["id"], ALARM,
                            one), {found: False}

    def _only(self, alarm: Mapping) -> str | None:
        """Return the one resource that all metrics of an alarm are of."""
        ids = {(one.get("dimensions") or {}).get(
            self.conf.instance_dimension) for one in alarm["metrics"]}
        return next(iter(ids)) if len(ids) == 1 else None

    def _list(self, project_id: str, what: str,
              filters: Mapping[str, Mapping[str, str]]) -> Iterator[Mapping]:
        params = dict(filters.get(what, {}))
        while True:
            answer = self._service.call("GET", f"/{what}", params=params,
                                        project_id=project_id)
            yield from answer["elements"]
            further = next((link["href"] for link in answer.get("links", ())
                            if link.get("rel") == "next"), None)
            if further is None:
                return
            offset = urllib.parse.parse_qs(urllib.parse.urlsplit(
                further).query).get("offset")
            if not offset or offset[0] == params.get("offset"):
                return
            params["offset"] = offset[0]

    def delete(self, alarm: Alarm) -> bool:
        what = "alarms" if alarm.kind == ALARM else "alarm-definitions"
        try:
            self._service.call("DELETE", f"/{what}/{alarm.id}",
                               project_id=alarm.project_id)
        except NotFound:
            return False
        return True

    def restore(self, alarm: Alarm) -> str | None:
        if alarm.kind == ALARM:
            raise Rejected("Monasca makes it again by itself, from its "
                           "definition, when its metrics come",
                           code="not_restorable")
        for one in self._list(alarm.project_id, "alarm-definitions", {}):
            if one["id"] == alarm.id or (
                    one["name"], one["expression"]) == (
                    alarm.name, alarm.definition["expression"]):
                return None
        return self._service.call(
            "POST", "/alarm-definitions",
            {name: alarm.definition[name] for name in _ESSENCE
             if name in alarm.definition},
            project_id=alarm.project_id)["id"]


def only_about(expression: str, dimension: str) -> str | None:
    """Return the one resource that each part of an expression names.

    :param expression: such as ``max(cpu{resource_id=1}) > 5 and …``
    :param dimension: the name of the dimension with the resource's id
    """
    ids = set()
    for part in _JOINS.split(expression):
        named = [value.strip() for inside in _DIMENSIONS.findall(part)
                 for name, _, value in (
                     one.partition("=") for one in inside.split(","))
                 if name.strip() == dimension]
        if len(named) != 1:
            return None
        ids.add(named[0])
    return ids.pop() if len(ids) == 1 else None
