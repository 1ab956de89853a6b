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


"""Metrics of other services, asked with the caller's token; B38, S1."""

import dataclasses
import datetime
import unittest

from oslo_config import cfg

from monasca_events_api import timeline
from monasca_events_api.timeline.gnocchi import Gnocchi
from monasca_events_api.timeline.monasca import Monasca
from monasca_events_common import plugins
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from tests.contract.store_case import at
from tests.contract.store_case import NOON
from tests.unit.engine import api

SUBJECT = timeline.Subject(
    "a" * 32, "vm-1", False, at(), at(3600), True, 10,
    NOON + datetime.timedelta(days=1), "t0k3n")
METRIC = {"unit": "%", "archive_policy": {"definition": [
    {"granularity": "0:01:00"}, {"granularity": "1:00:00"},
    {"granularity": "1 day, 0:00:00"}]}}


class ServiceCase(unittest.TestCase):

    cls: type

    def source(self, answer, **values):
        self.api = api.Api(answer)
        self.addCleanup(self.api.close)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        group = plugins.options(conf, self.cls)
        for name, value in {"endpoint": self.api.url, "timeout": 1.0,
                            **values}.items():
            conf.set_override(name, value, group=self.cls.GROUP)
        return self.cls(group, timeline.Reach(None, None, conf))

    def check_failures(self):
        for answer, expected in (
                ((503, {}), Unavailable), ((429, {}), Unavailable),
                ((401, {}), Rejected), ((403, {}), Rejected),
                ((302, {}), Rejected), ((200, "x" * (5 << 20)), Rejected)):
            source = self.source(lambda request, answer=answer: answer)
            with self.subTest(answer=answer[0]), \
                    self.assertRaises(expected) as caught:
                source.find(SUBJECT)
            self.assertNotIn("t0k3n", str(caught.exception))
        self.api.close()
        with self.assertRaisesRegex(Unavailable, "does not answer"):
            source.find(SUBJECT)


class GnocchiTest(ServiceCase):

    cls = Gnocchi

    def answer(self, request):
        if request.path == "/v1/resource/generic/vm-1":
            return 200, {"metrics": {"cpu": "m-1", "memory": "m-2"}}
        if request.path.endswith("/measures"):
            return 200, [[at(), 60.0, 1.5], [at(60), 60.0, 2.5]] \
                if "m-1" in request.path else []
        if request.path.startswith("/v1/metric/"):
            return 200, METRIC
        return 404, {}

    def test_what_it_has_of_the_resource_is_shown(self):
        found = self.source(self.answer).find(SUBJECT)
        self.assertEqual([{"source": "gnocchi", "name": "cpu", "unit": "%",
                           "granularity": 60.0, "points": [
                               (at(), 1.5), (at(60), 2.5)]}], found.items)
        self.assertFalse(found.truncated)
        for request in self.api.requests:
            self.assertEqual("t0k3n", request.headers["X-Auth-Token"])

    def test_long_times_have_coarse_values_and_few(self):
        source = self.source(self.answer, points=2)
        found = source.find(dataclasses.replace(SUBJECT, until=at(
            days=1.5)))
        self.assertEqual(86400.0, found.items[0]["granularity"])
        self.assertEqual(2, len(found.items[0]["points"]))

    def test_what_it_does_not_show_the_caller_is_nothing(self):
        source = self.source(lambda request: (404, {}))
        self.assertEqual(((), False), (
            source.find(SUBJECT).items, source.find(SUBJECT).truncated))

    def test_ids_cannot_lead_elsewhere(self):
        source = self.source(lambda request: (404, {}))
        source.find(dataclasses.replace(SUBJECT, ident="../../v1/metric?a#b"))
        self.assertEqual(
            "/v1/resource/generic/..%2F..%2Fv1%2Fmetric%3Fa%23b",
            self.api.requests[0].path)

    def test_of_requests_and_without_a_time_nothing_is_asked(self):
        source = self.source(self.answer)
        for other in ({"is_request": True}, {"since": None}):
            self.assertEqual((), source.find(
                dataclasses.replace(SUBJECT, **other)).items)
        self.assertEqual([], self.api.requests)

    def test_more_metrics_than_wanted_are_told(self):
        found = self.source(self.answer, metrics=1).find(SUBJECT)
        self.assertTrue(found.truncated)
        self.assertEqual(["cpu"], [one["name"] for one in found.items])

    def test_failures_are_told_apart(self):
        self.check_failures()


class MonascaTest(ServiceCase):

    cls = Monasca

    def answer(self, request):
        if request.path == "/metrics/names":
            return 200, {"elements": [{"name": "cpu.utilization_perc"},
                                      {"name": "mem.free"}]}
        return 200, {"elements": [
            {"statistics": [[at(), 7.0]] if request.query["name"]
             == "cpu.utilization_perc" else []}]}

    def test_what_it_has_of_the_resource_is_shown(self):
        found = self.source(self.answer).find(SUBJECT)
        self.assertEqual([{"source": "monasca", "unit": None,
                           "name": "cpu.utilization_perc",
                           "granularity": 60, "points": [[at(), 7.0]]}],
                         [{**one, "points": list(map(list, one["points"]))}
                          for one in found.items])
        self.assertEqual("resource_id:vm-1",
                         self.api.requests[1].query["dimensions"])
        self.assertEqual("t0k3n",
                         self.api.requests[1].headers["X-Auth-Token"])

    def test_an_id_that_would_be_two_dimensions_is_not_asked_for(self):
        source = self.source(self.answer)
        for ident in ("a,project_id:b", "a:b", "a|b", "a&b"):
            self.assertEqual((), source.find(
                dataclasses.replace(SUBJECT, ident=ident)).items)
        self.assertEqual([], self.api.requests)

    def test_failures_are_told_apart(self):
        self.check_failures()
