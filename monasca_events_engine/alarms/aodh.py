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

"""Aodh: the alarming service of OpenStack's telemetry.

Its API has no filter on what an alarm watches, so the alarms of a project are
listed and looked at.
"""

from collections.abc import Iterator, Mapping
import json

from monasca_events_common.errors import NotFound
from monasca_events_engine import account
from monasca_events_engine.account import Accounts
from monasca_events_engine.alarms import Alarm
from monasca_events_engine.alarms import ALARM
from monasca_events_engine.alarms import AlarmService
from monasca_events_engine.alarms import Subjects
from monasca_events_engine.alarms.watching import subjects

#: Alarms in one answer.
PAGE = 500

# What Aodh says of an alarm and decides itself.
_ITS_OWN = frozenset(("alarm_id", "timestamp", "state", "state_timestamp",
                      "state_reason", "evaluate_timestamp"))

_RESOURCES = "gnocchi_aggregation_by_resources_threshold_rule"


class Aodh(AlarmService):
    """Speaks with Aodh's API, version 2."""

    GROUP = "aodh"
    OPTS = account.opts("alarming", "Aodh")

    def __init__(self, conf, accounts: Accounts, name: str) -> None:
        super().__init__(conf, accounts, name)
        self._service = accounts.service(conf, "Aodh")

    def watching(self, project_id: str | None
                 ) -> Iterator[tuple[Alarm, Subjects]]:
        for one in self._list(project_id):
            found = subjects(one)
            if found:
                yield self._alarm(one), found

    def _alarm(self, one: Mapping) -> Alarm:
        return Alarm(self.name, one["alarm_id"], one["project_id"],
                     one["name"], ALARM, one)

    def _list(self, project_id: str | None) -> Iterator[Mapping]:
        what = ("all_projects", "true") if project_id is None \
            else ("project_id", project_id)
        params = {"q.field": what[0], "q.op": "eq", "q.value": what[1],
                  "limit": PAGE, "sort": "alarm_id:asc"}
        while True:
            page = self._service.call("GET", "/v2/alarms", params=params)
            for one in page:
                # Whatever the filter did, another project's is left alone.
                if project_id in (None, one["project_id"]):
                    yield one
            if len(page) < PAGE:
                return
            params["marker"] = page[-1]["alarm_id"]

    def delete(self, alarm: Alarm) -> bool:
        try:
            self._service.call("DELETE", f"/v2/alarms/{alarm.id}")
        except NotFound:
            return False
        return True

    def restore(self, alarm: Alarm) -> str | None:
        wanted = _essence(alarm.definition)
        for one in self._list(alarm.project_id):
            if one["alarm_id"] == alarm.id or _essence(one) == wanted:
                return None
        return self._service.call("POST", "/v2/alarms", wanted)["alarm_id"]


def _essence(definition: Mapping) -> dict:
    """Return what makes an alarm, without what becomes of it."""
    found = {name: value for name, value in definition.items()
             if name not in _ITS_OWN}
    rule = found.get(_RESOURCES)
    if isinstance(rule, Mapping) and isinstance(rule.get("query"), str):
        found[_RESOURCES] = {**rule, "query": _unscoped(rule["query"])}
    return found


def _unscoped(query: str) -> str:
    """Return a query without what Aodh puts around it when it takes it.

    It joins a condition on the project, ``{"and": [condition, query]}``, and
    would do so once more.
    """
    try:
        found = json.loads(query)
        scope, inner = found["and"]
    except (ValueError, KeyError, TypeError):
        return query
    if len(found) > 1 or "created_by_project_id" not in json.dumps(scope):
        return query
    return json.dumps(inner)
