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


"""One source fails, another hangs: the rest is there."""

import dataclasses
import datetime
import threading
import unittest

from oslo_config import cfg

from monasca_events_api import timeline
from monasca_events_api.timeline import Findings
from monasca_events_api.timeline.gatherer import Gatherer
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable

SUBJECT = timeline.Subject(
    "a" * 32, "vm-1", False, None, None, True, 10,
    datetime.datetime(2026, 11, 25, tzinfo=datetime.timezone.utc), "token")


class Working(timeline.Source):
    KEY = "events"

    def find(self, subject):
        return Findings([{"timestamp": "2026-11-25T12:00:00.000000Z",
                          "request_id": "req-b", "global_request_id": None},
                         {"timestamp": "2026-11-25T11:00:00.000000Z",
                          "request_id": "req-a",
                          "global_request_id": "req-u"}], True)


class Broken(timeline.Source):
    KEY = "notes"

    def find(self, subject):
        raise KeyError("secret of the deployment")


class Away(timeline.Source):
    KEY = "events"

    def find(self, subject):
        raise Unavailable("the almanac is away")


class Hanging(timeline.Source):
    KEY = "logs"
    door = threading.Event()

    def find(self, subject):
        self.door.wait(30)
        return Findings(())


class Later(timeline.Source):
    KEY = "metrics"
    AFTER_EVENTS = True

    def find(self, subject):
        narrowed = subject.narrowed()
        return Findings([{"since": narrowed.since, "until": narrowed.until,
                          "asked": (subject.since, subject.until),
                          "requests": subject.requests}])


class GathererTest(unittest.TestCase):

    def gather(self, subject=SUBJECT, **classes):
        conf = cfg.ConfigOpts()
        conf.register_opts(timeline.OPTS, group=timeline.GROUP)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override("patience", 0.2, group=timeline.GROUP)
        reach = timeline.Reach(None, None, conf)
        return Gatherer({name: cls(None, reach) for name, cls
                         in classes.items()}, conf[timeline.GROUP]
                        ).gather(subject)

    def test_what_fails_is_named_and_the_rest_is_there(self):
        with self.assertLogs("monasca_events_api", "ERROR"):
            found = self.gather(working=Working, broken=Broken, away=Away)
        self.assertEqual(2, len(found.lists["events"]))
        self.assertEqual([], found.lists["notes"])
        self.assertEqual({"error": None, "truncated": True},
                         found.sources["working"])
        self.assertEqual("the almanac is away",
                         found.sources["away"]["error"])
        self.assertIn("KeyError", found.sources["broken"]["error"])
        self.assertNotIn("secret", found.sources["broken"]["error"])

    def test_what_hangs_is_not_waited_for(self):
        self.addCleanup(Hanging.door.set)
        found = self.gather(working=Working, hanging=Hanging)
        self.assertEqual(2, len(found.lists["events"]))
        self.assertIn("did not answer", found.sources["hanging"]["error"])

    def test_some_are_told_when_the_events_happened_and_in_which_requests(
            self):
        found = self.gather(later=Later, working=Working)
        self.assertEqual([{"since": "2026-11-25T11:00:00.000000Z",
                           "until": "2026-11-25T12:00:00.000000Z",
                           "asked": (None, None),
                           "requests": ("req-b", "req-a", "req-u")}],
                         found.lists["metrics"])

    def test_to_a_request_belongs_what_was_done_for_it_only(self):
        request = dataclasses.replace(SUBJECT, ident="req-a",
                                      is_request=True)
        found = self.gather(request, later=Later, working=Working)
        self.assertEqual(("req-b",), found.lists["metrics"][0]["requests"])

    def test_where_all_fail_there_is_no_answer(self):
        with self.assertRaisesRegex(Unavailable, "almanac"):
            self.gather(away=Away)

    def test_a_source_that_is_none_stops_the_start(self):
        conf = cfg.ConfigOpts()
        conf.register_opts(timeline.OPTS, group=timeline.GROUP)
        conf([], default_config_files=[], default_config_dirs=[])
        reach = timeline.Reach(None, None, conf)
        for name in ("none", "gnocchi", "monasca"):
            # The latter two want to know where their services are.
            conf.set_override("sources", [name], group=timeline.GROUP)
            with self.subTest(name=name), self.assertRaises(Misconfigured):
                timeline.get_sources(conf, reach)

    def test_an_operators_own_source_is_named_by_its_class(self):
        conf = cfg.ConfigOpts()
        conf.register_opts(timeline.OPTS, group=timeline.GROUP)
        conf([], default_config_files=[], default_config_dirs=[])
        name = f"{__name__}:Working"
        conf.set_override("sources", [name], group=timeline.GROUP)
        found = timeline.get_sources(conf, timeline.Reach(None, None, conf))
        self.assertIsInstance(found[name], Working)
