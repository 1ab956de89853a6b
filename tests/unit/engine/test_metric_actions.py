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

"""Metric actions: what they measure, and where it is kept."""

import collections
import math
import unittest

import orjson
import prometheus_client
from prometheus_client import parser
import sqlalchemy as sa

from monasca_events_common import metrics
from monasca_events_common.database.tables import MEASURES
from monasca_events_common.database.tables import TOTALS
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_engine.checkpoint import Work
from monasca_events_engine.exposition import Exposition
from monasca_events_engine.measures import Measure
from monasca_events_engine.measures import Measures
from monasca_events_engine.metric_actions.durations import Durations
from monasca_events_engine.metric_actions.event_rate import EventRate
from monasca_events_engine.metric_actions.event_rate import MAX_PREFIXES
from monasca_events_engine.metric_actions.failure_rate import FailureRates
from monasca_events_engine.testing import event
from monasca_events_engine.testing import run
from tests.unit.common.rules.samples import OTHER
from tests.unit.common.rules.samples import PROJECT
from tests.unit.engine import cloud
from tests.unit.engine.test_plugins import PlugInCase

TRAITS = {"flavor": "m1.small", "host": "node-1", "image_id": "i-1",
          "availability_zone": "nova"}


def by_name(found) -> dict[str, list]:
    named = collections.defaultdict(list)
    for _, one in found:
        named[one.name].append(one)
    return named


class TestDurations(unittest.TestCase):

    def test_a_pair_is_measured_with_the_ends_traits_as_labels(self):
        """B35, B46"""
        (key, found), = run(Durations, [
            event("compute.instance.create.start", 3),
            event("compute.instance.create.end", 10.5, traits=TRAITS)])
        self.assertEqual(
            ("instance-create.duration", "histogram", 7.5, PROJECT, "vm-1",
             {"flavor": "m1.small", "host": "node-1", "image": "i-1",
              "availability_zone": "nova"}),
            (found.name, found.kind, found.value, found.project_id,
             found.resource_id, found.labels))
        self.assertEqual({"resource_id": "vm-1"}, key)

    def test_labels_are_chosen(self):
        sent = [event("volume.create.start", 0), event(
            "volume.create.end", 1, traits={"volume_type": "ssd", "size": 7,
                                            "host": "h"})]
        (_, found), = run(Durations, sent, labels=["volume_type", "none"])
        self.assertEqual({"volume_type": "ssd"}, found.labels)

    def test_what_failed_or_went_is_not_measured(self):
        for unless in ("compute.instance.create.error",
                       "compute.instance.delete.start"):
            self.assertEqual([], [one for _, one in run(Durations, [
                event("compute.instance.create.start", 0), event(unless, 5),
                event("compute.instance.create.end", 9)],
                lifecycles=["instance-create"])])

    def test_a_whole_clouds_durations_are_those_of_the_truth(self):
        """B46, against what the generator knows of each end."""
        for nova_format in ("unversioned", "versioned", "both"):
            sent = cloud.notifications(nova_format, missing_ends=0.05)
            pairs = {one.end[place]: name for name, one in LIFECYCLES.items()
                     for place, first in enumerate(one.start)
                     if place < len(one.end) and one.end[place] ==
                     first.removesuffix(".start") + ".end"}
            truth = collections.defaultdict(dict)
            # The stream's last moment is one for all that come later.
            last = max(one.timestamp for one in sent)
            sent = [one for one in sent if one.timestamp < last]
            for one in sent:
                if one.span and one.span.duration is not None \
                        and one.event_type in pairs:
                    # Both formats of a fact are one.
                        truth[pairs[one.event_type]][
                        one.resource_id, one.timestamp] = one.span.duration
            found = by_name(run(Durations, cloud.normalised(sent)))
            self.assertGreater(sum(map(len, truth.values())), 500)
            for name, values in truth.items():
                with self.subTest(lifecycle=name, format=nova_format):
                    measured = found[f"{name}.duration"]
                    self.assertEqual(len(values), len(measured))
                    for one, two in zip(sorted(values.values()), sorted(
                            one.value for one in measured), strict=True):
                        self.assertAlmostEqual(one, two, places=5)


    def test_what_is_measured_of_a_cloud_has_the_labels_that_are_promised(
            self):
        """Issue 4: deploy, resize, migrate, attach, snapshot."""
        every = {"flavor", "host", "availability_zone", "image"}
        where = {"host", "availability_zone"}
        wanted = {"instance-create": every, "instance-resize": every,
                  "instance-migrate": every, "instance-live-migrate": every,
                  "instance-snapshot": every, "volume-attach": where,
                  "volume-snapshot": where}
        for nova_format, more in (
                ("unversioned", {}),
                ("versioned", {"instance-volume-attach": every})):
            found = by_name(run(Durations, cloud.cloud(nova_format)))
            for name, labels in {**wanted, **more}.items():
                with self.subTest(format=nova_format, lifecycle=name):
                    measured = found[f"{name}.duration"]
                    self.assertTrue(measured)
                    self.assertEqual([labels] * len(measured), [
                        set(one.labels) for one in measured])
                    self.assertTrue(all(one.labels["host"]
                                        for one in measured))


class TestRates(unittest.TestCase):

    def test_finished_and_failed_are_counted_for_each_lifecycle(self):
        found = by_name(run(FailureRates, [
            event("compute.instance.create.end", 1),
            event("instance.create.end", 2),
            event("compute.instance.create.error", 3),
            event("scheduler.create_volume", 4),
            event("image.activate", 5)]))
        self.assertEqual(
            {"instance-create.finished": 2, "instance-create.failed": 1,
             "volume-create.failed": 1},
            {name: sum(one.value for one in several)
             for name, several in found.items()})

    def test_they_may_have_labels(self):
        (_, found), = run(FailureRates, [
            event("compute.instance.create.error", 3, traits=TRAITS)],
            labels=["host"], lifecycles=["instance-create"])
        self.assertEqual({"host": "node-1"}, found.labels)

    def test_events_are_counted_by_the_beginning_of_their_type(self):
        sent = [event("compute.instance.create.end", 1),
                event("compute.host.up", 2), event("volume.attach.end", 3)]
        for words, expected in (
                (1, {"compute": 2, "volume": 1}),
                (2, {"compute.instance": 1, "compute.host": 1,
                     "volume.attach": 1})):
            self.assertEqual(expected, dict(collections.Counter(
                one.labels["prefix"] for _, one in run(
                    EventRate, sent, words=words))))

    def test_types_that_senders_make_up_become_one(self):
        found = run(EventRate, [event(f"t{number:04}.x", number)
                                for number in range(MAX_PREFIXES + 50)])
        counted = collections.Counter(one.labels["prefix"]
                                      for _, one in found)
        self.assertEqual(50, counted["other"])
        self.assertEqual(MAX_PREFIXES + 1, len(counted))


class TestInTheEngine(PlugInCase):

    def setUp(self):
        super().setUp()
        self.site.set(enabled_metric_actions=[
            "durations", "failure_rate", "event_rate"])

    def rows(self, table) -> list[dict]:
        with self.site.database.read() as connection:
            return [orjson.loads(row.content) for row in
                    connection.execute(sa.select(table))]

    def send_pair(self, at: float, took: float, **more) -> None:
        self.site.send(event("compute.instance.create.start", at, **more))
        self.site.send(event("compute.instance.create.end", at + took,
                             traits=TRAITS, **more))
        self.site.pass_to(at + took + 1)

    def page(self) -> dict[str, float]:
        """Return sample → value of the engine's page for Prometheus."""
        pages = prometheus_client.CollectorRegistry()
        pages.register(Exposition(self.site.measures.totals))
        text = prometheus_client.generate_latest(pages).decode()
        found = {}
        for family in parser.text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name, tuple(sorted(
                    sample.labels.items()))] = sample.value
        return found

    def test_totals_are_served_and_go_on_after_a_crash(self):
        """B46, F4"""
        self.send_pair(0, 7)
        self.send_pair(20, 40, project_id=OTHER)
        self.site.restart()
        self.send_pair(100, 3, resource_id="vm-2")
        found = self.page()
        labels = (("availability_zone", "nova"), ("flavor", "m1.small"),
                  ("host", "node-1"), ("image", "i-1"))
        name = "monasca_events_instance_create_duration_seconds"
        self.assertEqual(3, found[f"{name}_count", labels])
        self.assertEqual(50, found[f"{name}_sum", labels])
        self.assertEqual([0, 1, 2, 2, 3, 3], [
            found[f"{name}_bucket", tuple(sorted((*labels, ("le", bound))))]
            for bound in ("2", "5", "10", "20", "60", "+Inf")])
        self.assertEqual(3, found[
            "monasca_events_instance_create_finished_total", ()])
        self.assertEqual(6, found["monasca_events_events_seen_total",
                                  (("prefix", "compute"),)])

    def test_an_event_that_comes_twice_is_measured_once(self):
        """F19"""
        self.send_pair(0, 7)
        self.site.send(event("compute.instance.create.start", 0),
                       event("compute.instance.create.end", 7,
                             traits=TRAITS), at=9)
        self.site.pass_to(30)
        found = self.page()
        self.assertEqual(1, found[
            "monasca_events_instance_create_finished_total", ()])
        self.assertEqual({1}, {value for (name, _), value in found.items()
                               if name.endswith("_seconds_count")})

    def test_each_sink_gets_a_row_and_counters_one_for_a_batch(self):
        self.send_pair(0, 7)
        self.site.send(*[event("x.y", 20 + number / 10, name=str(number))
                         for number in range(5)])
        found = [one for one in self.rows(MEASURES)]
        duration, = [one for one in found
                     if one["name"] == "instance-create.duration"]
        self.assertEqual((7.0, "vm-1"), (duration["value"],
                                         duration["resource_id"]))
        self.assertEqual([5.0], [one["value"] for one in found
                                 if one["labels"] == {"prefix": "x"}])
        self.assertEqual(3.0 + 4, sum(one["value"] for one in found
                                      if one["name"] == "events.seen"))

    def test_the_list_of_sinks_is_followed(self):
        self.site.measures._sinks = lambda: []
        self.send_pair(0, 7)
        self.assertEqual([], self.rows(MEASURES))
        self.site.measures._sinks = lambda: ["a", "b"]
        self.site.send(event("x.y", 30))
        self.assertEqual(2, len(self.rows(MEASURES)))

    def test_a_series_too_many_gives_up_its_labels_and_is_counted(self):
        """Design 4: no silent caps."""
        before = metrics.LIMITED.labels("metric_series")._value.get()
        self.site.measures._most = lambda: 2
        self.site.set(enabled_metric_actions=["event_rate"])
        self.site.send(*[event(f"t{number}.x", 1) for number in range(5)])
        found = {labels: value for (name, labels), value
                 in self.page().items()}
        self.assertEqual({(("prefix", "t0"),): 1, (("prefix", "t1"),): 1,
                          (("prefix", "other"),): 3}, found)
        self.assertEqual(before + 3, metrics.LIMITED.labels(
            "metric_series")._value.get())
        self.assertEqual(3, len(self.rows(TOTALS)))


class TestExposition(unittest.TestCase):

    def text(self, *found) -> str:
        made = Measures()
        for partition, one in found:
            made.take(one, partition, Work())
        pages = prometheus_client.CollectorRegistry()
        pages.register(Exposition(made.totals))
        return prometheus_client.generate_latest(pages).decode()

    def measure(self, name, kind, value, **labels):
        return Measure(name, kind, value, 0.0, labels, PROJECT)

    def test_partitions_are_added_up_and_labels_made_alike(self):
        text = self.text(
            (0, self.measure("a-b.c", "counter", 2, x="1")),
            (1, self.measure("a-b.c", "counter", 3, x="1")),
            (1, self.measure("a-b.c", "counter", 5, **{"y.z": "q\"\n"})))
        self.assertIn('monasca_events_a_b_c_total{x="1",y_z=""} 5.0', text)
        self.assertIn(
            r'monasca_events_a_b_c_total{x="",y_z="q\"\n"} 5.0', text)
        self.assertIn("# TYPE monasca_events_a_b_c_total counter", text)

    def test_a_gauge_is_the_last_value(self):
        text = self.text((0, self.measure("load", "gauge", 2)),
                         (0, self.measure("load", "gauge", math.pi)))
        self.assertIn(f"monasca_events_load {math.pi}", text)
