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


"""Gnocchi: the metrics of a timeline's resource."""

from collections.abc import Mapping

from monasca_events_api.timeline import Findings
from monasca_events_api.timeline import Reach
from monasca_events_api.timeline import service
from monasca_events_api.timeline import Source
from monasca_events_api.timeline import Subject
from monasca_events_api.timeline.spans import moment
from monasca_events_common.errors import NotFound


class Gnocchi(Source):
    """Means of the metrics that Gnocchi has of the resource."""

    KEY = "metrics"
    AFTER_EVENTS = True
    GROUP = "timeline_gnocchi"
    OPTS = service.opts("Gnocchi", "http://controller:8041")

    def __init__(self, conf, reach: Reach) -> None:
        super().__init__(conf, reach)
        self._service = service.Service(conf, "Gnocchi")

    def find(self, subject: Subject) -> Findings:
        subject = subject.narrowed()
        if subject.is_request or subject.since is None:
            # Metrics are of resources, and without a time of all their life.
            return Findings(())
        try:
            resource = self._service.get(
                "/v1/resource/generic/" + service.quote(subject.ident),
                subject.token)
        except NotFound:
            return Findings(())
        names = sorted(resource["metrics"].items())
        most = self.conf.metrics
        found = [self._series(name, metric_id, subject)
                 for name, metric_id in names[:most]]
        return Findings([one for one in found if one["points"]],
                        len(names) > most)

    def _series(self, name: str, metric_id: str, subject: Subject
                ) -> Mapping:
        metric = self._service.get(
            "/v1/metric/" + service.quote(metric_id), subject.token)
        granularity = self._granularity(metric, subject)
        query = [("aggregation", "mean"), ("start", subject.since),
                 ("stop", end(subject, granularity))]
        if granularity:
            query.append(("granularity", granularity))
        measures = self._service.get(
            f"/v1/metric/{service.quote(metric_id)}/measures",
            subject.token, query)
        return service.series("gnocchi", name, metric.get("unit"),
                              granularity, [
                                  (at, value) for at, _, value
                                  in measures[-self.conf.points:]])

    def _granularity(self, metric: Mapping, subject: Subject) -> float:
        """Return the finest granularity that gives few enough values, else
        the coarsest; 0 where there is none."""
        kept = sorted(_seconds(one["granularity"]) for one
                      in metric["archive_policy"]["definition"])
        whole = (moment(subject.until or subject.since)
                 - moment(subject.since)).total_seconds()
        return next((one for one in kept
                     if one * self.conf.points >= whole),
                    kept[-1] if kept else 0.0)


def end(subject: Subject, granularity: float) -> float:
    """Return when a series ends: with the value in which the last event is,
    and not later than now, in seconds since the epoch."""
    last = moment(subject.until or subject.since).timestamp() + granularity
    return min(last, subject.now.timestamp()) + 0.001


def _seconds(text: str | float) -> float:
    """Return seconds of Gnocchi's ``1 day, 0:05:00``."""
    if type(text) in (int, float):
        return float(text)
    days, _, rest = text.rpartition(",")
    hours, minutes, seconds = rest.strip().split(":")
    return (int(days.split()[0]) * 86400 if days else 0) \
        + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
