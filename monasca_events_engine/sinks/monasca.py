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

"""Monasca's HTTP API: measures as metrics of their projects.

The engine's account needs a role that Monasca lets act for other projects
(``delegate_authorized_roles``); the project is named in ``tenant_id``. A
measure that comes twice is the same value at the same time.
"""

from collections.abc import Sequence

from oslo_config import cfg

from monasca_events_common.errors import Rejected
from monasca_events_engine import account
from monasca_events_engine.account import Accounts
from monasca_events_engine.measures import Measure
from monasca_events_engine.sinks import Refusal
from monasca_events_engine.sinks import Sink
from monasca_events_engine.sinks.monasca_metric import metric


class Monasca(Sink):
    """Posts measures to Monasca."""

    GROUP = "monasca"
    OPTS = [
        *account.opts("monitoring", "Monasca"),
        cfg.IntOpt("max_metrics", default=200, min=1, mutable=True,
                   help="Metrics in one request to Monasca."),
    ]

    def __init__(self, conf, accounts: Accounts) -> None:
        super().__init__(conf, accounts)
        self._service = accounts.service(conf, "Monasca")

    def push(self, measures: Sequence[Measure]) -> Sequence[Refusal]:
        by_project: dict[str, list[int]] = {}
        for place, one in enumerate(measures):
            by_project.setdefault(one.project_id, []).append(place)
        found: list[Refusal] = []
        for project_id, places in by_project.items():
            for at in range(0, len(places), self.conf.max_metrics):
                found += self._post(project_id, measures,
                                    places[at:at + self.conf.max_metrics])
        return found

    def _post(self, project_id: str, measures: Sequence[Measure],
              places: Sequence[int]) -> list[Refusal]:
        try:
            self._service.call(
                "POST", "/metrics",
                [metric(measures[place]) for place in places],
                params={"tenant_id": project_id})
        except Rejected as error:
            if len(places) == 1:
                return [Refusal(places[0], str(error))]
            # It refuses all for one; the halves tell which.
            half = len(places) // 2
            return [*self._post(project_id, measures, places[:half]),
                    *self._post(project_id, measures, places[half:])]
        return []
