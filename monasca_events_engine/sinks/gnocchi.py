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

"""Gnocchi: measures as metrics of the resources that they are of.

A measure of an instance becomes a value of the metric
``instance-create.duration`` of the resource with the instance's id, which is
made where nobody has it; one that is of no resource goes to a resource for
its project and labels. A measure that comes twice is the same value at the
same time, which Gnocchi keeps once.
"""

from collections.abc import Iterable, Mapping, Sequence
import contextlib
import datetime
import uuid

from oslo_config import cfg
import orjson

from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Misconfigured
from monasca_events_engine import account
from monasca_events_engine.account import Accounts
from monasca_events_engine.account import Refused
from monasca_events_engine.measures import Measure
from monasca_events_engine.sinks import Refusal
from monasca_events_engine.sinks import Sink

_BATCH = "/v1/batch/resources/metrics/measures"

# Root of the name-based ids of resources that measures without one have
# (RFC 9562, version 5).
_NAMESPACE = uuid.UUID("c2b6b1a0-3a6c-5f0e-8f7e-0c9d6a4e1b57")

#: Characters of a resource's id that Gnocchi keeps.
MAX_ID = 255


class Gnocchi(Sink):
    """Posts measures to Gnocchi."""

    GROUP = "gnocchi"
    OPTS = [
        *account.opts("metric", "Gnocchi"),
        cfg.StrOpt("archive_policy", mutable=True,
                   help="Archive policy of metrics that are made; unless "
                        "set, Gnocchi's own rules choose one."),
        cfg.StrOpt("resource_type", default="generic", mutable=True,
                   help="Type of resources that are made for measures whose "
                        "resource Gnocchi does not know yet."),
    ]

    def __init__(self, conf, accounts: Accounts) -> None:
        super().__init__(conf, accounts)
        self._service = accounts.service(conf, "Gnocchi")

    def push(self, measures: Sequence[Measure]) -> Sequence[Refusal]:
        return self._push(measures, range(len(measures)))

    def _push(self, measures: Sequence[Measure], places: Sequence[int]
              ) -> list[Refusal]:
        chosen = [measures[place] for place in places]
        try:
            self._post(chosen)
        except Refused as error:
            if "rchive policy" in str(error):
                # Nothing is wrong with the measures.
                raise Misconfigured(f"[{self.GROUP}] archive_policy: {error}"
                                    ) from error
            if len(places) == 1:
                return [Refusal(places[0], str(error))]
            # It refuses all for one; the halves tell which.
            half = len(places) // 2
            return [*self._push(measures, places[:half]),
                    *self._push(measures, places[half:])]
        return []

    def _post(self, measures: Sequence[Measure]) -> None:
        body = self._body(measures)
        try:
            self._call(body)
        except Refused as error:
            missing = _unknown(error.answer)
            if not missing:
                raise
            self._make(missing, measures)
            self._call(body)

    def _call(self, body: Mapping) -> None:
        self._service.call("POST", _BATCH, body,
                           params={"create_metrics": "true"})

    def _body(self, measures: Sequence[Measure]) -> dict:
        policy = {"archive_policy_name": self.conf.archive_policy} \
            if self.conf.archive_policy else {}
        found: dict[str, dict] = {}
        for one in measures:
            metric = found.setdefault(resource(one), {}).setdefault(
                one.name.replace("/", "_"), {**policy, "measures": []})
            metric["measures"].append({
                "timestamp": datetime.datetime.fromtimestamp(
                    one.at, datetime.timezone.utc).isoformat(),
                "value": one.value})
        return found

    def _make(self, missing: Iterable[str], measures: Sequence[Measure]
              ) -> None:
        """Make resources that Gnocchi does not know."""
        projects = {resource(one): one.project_id for one in measures}
        for one in missing:
            # Somebody else may be at it too.
            with contextlib.suppress(Conflict):
                self._service.call(
                    "POST", f"/v1/resource/{self.conf.resource_type}",
                    {"id": one, "project_id": projects.get(one)})


def resource(measure: Measure) -> str:
    """Return the id of the resource that a measure is of."""
    if measure.resource_id is not None:
        return measure.resource_id.replace("/", "_")[:MAX_ID]
    name = orjson.dumps([measure.project_id, measure.labels],
                        option=orjson.OPT_SORT_KEYS)
    return str(uuid.uuid5(_NAMESPACE, name.decode()))


def _unknown(answer) -> list[str]:
    """Return ids of resources that a refusal says are unknown."""
    try:
        told = answer["description"]
        if told["cause"] != "Unknown resources":
            return []
        return [one["original_resource_id"] for one in told["detail"]]
    except (KeyError, TypeError):
        return []
