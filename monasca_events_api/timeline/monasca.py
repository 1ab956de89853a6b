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


"""Monasca: the metrics of a timeline's resource."""

from collections.abc import Mapping
import datetime
import math

from monasca_events_api.timeline import Findings
from monasca_events_api.timeline import Reach
from monasca_events_api.timeline import service
from monasca_events_api.timeline import Source
from monasca_events_api.timeline import Subject
from monasca_events_api.timeline.spans import moment
from monasca_events_common import event as events

#: Seconds of the shortest period; Monasca's agent measures twice a minute.
_SHORTEST = 60


class Monasca(Source):
    """Averages of the metrics that Monasca has of the resource."""

    KEY = "metrics"
    AFTER_EVENTS = True
    GROUP = "timeline_monasca"
    OPTS = service.opts("Monasca", "http://controller:8070/v2.0")

    def __init__(self, conf, reach: Reach) -> None:
        super().__init__(conf, reach)
        self._service = service.Service(conf, "Monasca")

    def find(self, subject: Subject) -> Findings:
        subject = subject.narrowed()
        # A colon or a comma would be another dimension.
        if subject.is_request or subject.since is None \
                or not set(subject.ident).isdisjoint(",:|&"):
            return Findings(())
        most = self.conf.metrics
        told = self._service.get("/metrics/names", subject.token, [
            ("dimensions", f"resource_id:{subject.ident}"),
            ("limit", most + 1)])
        names = [one["name"] for one in told["elements"]]
        found = [self._series(name, subject) for name in names[:most]]
        return Findings([one for one in found if one["points"]],
                        len(names) > most)

    def _series(self, name: str, subject: Subject) -> Mapping:
        since = moment(subject.since)
        until = moment(subject.until or subject.since)
        period = max(_SHORTEST, math.ceil(
            (until - since).total_seconds() / self.conf.points))
        told = self._service.get("/metrics/statistics", subject.token, [
            ("name", name), ("dimensions", f"resource_id:{subject.ident}"),
            ("statistics", "avg"), ("start_time", subject.since),
            ("end_time", events.format_time(min(
                until + datetime.timedelta(seconds=period), subject.now))),
            ("period", period), ("merge_metrics", "true")])
        points = [(at, value) for one in told["elements"]
                  for at, value in one["statistics"]]
        return service.series("monasca", name, None, period,
                              points[-self.conf.points:])
