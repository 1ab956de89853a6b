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


"""The generator's stream: lifelike, and the same for the same seed."""

import collections
import datetime
import itertools
import json
import os
import unittest

import orjson

from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic.lifecycles import Options

UTC = datetime.timezone.utc
CAPTURED = os.path.join(
    os.path.dirname(__file__), "../../../../shared/data/notifications",
    "wire-captured.jsonl")

# Keys of a few captured payloads that only some deployments have.
_RARE = {"os_glance_importing_to_stores", "os_glance_failed_import"}


def made(count, seed=1, tenants=3, clock=None, **options):
    return list(lifecycles.stream(seed, tenants,
                                  Options(count=count, **options), clock))


def ids(notifications):
    return [one.message_id for one in notifications]


class TestDeterminism(unittest.TestCase):

    def test_the_same_seed_gives_the_same_notifications(self):
        options = {"errors": 0.1, "missing_ends": 0.1, "duplicates": 0.2,
                   "shuffle": 50, "nova_format": "both", "canaries": True,
                   "event_bytes": 900}
        self.assertEqual(made(400, **options), made(400, **options))

    def test_another_seed_gives_others(self):
        self.assertFalse(set(ids(made(200))) & set(ids(made(200, seed=2))))

    def test_a_clock_changes_the_times_only(self):
        moments = (datetime.datetime(2031, 5, 6, tzinfo=UTC)
                   + datetime.timedelta(seconds=tick)
                   for tick in itertools.count())
        clocked = made(300, clock=lambda: next(moments))
        self.assertEqual(ids(made(300)), ids(clocked))
        self.assertEqual("2031-05-06 00:00:00", clocked[0].timestamp)

    def test_silencing_services_leaves_the_others_as_they_were(self):
        everybody = made(3000)
        some = made(300, services=("cinder", "glance"))
        self.assertEqual({"cinder", "glance"}, {one.service for one in some})
        lone = {one.message_id for one in some}
        heard = {one.message_id for one in everybody
                 if one.service in ("cinder", "glance")}
        self.assertGreater(len(lone & heard), 100)

    def test_message_ids_are_distinct(self):
        found = made(5000, nova_format="both")
        self.assertEqual(5000, len(set(ids(found))))

    def test_project_ids_may_be_given(self):
        wanted = ["0" * 31 + "1", "0" * 31 + "2"]
        owners = {one.project_id for one in made(2000, tenants=wanted)}
        self.assertLess(set(wanted), owners)
        # The third is the operator's, and None is nobody's.
        self.assertEqual(4, len(owners))
        self.assertIn(None, owners)


class TestLikeness(unittest.TestCase):

    def test_every_service_speaks(self):
        self.assertEqual(set(lifecycles.SERVICES),
                         {one.service for one in made(5000)})

    def test_an_end_answers_an_earlier_start(self):
        starts = {}
        for one in made(5000, errors=0.2):
            if one.span is None:
                continue
            if one.span.edge == "start":
                starts[one.message_id] = one
                continue
            start = starts.pop(one.span.start_message_id)
            self.assertEqual(start.span.operation, one.span.operation)
            self.assertGreaterEqual(one.span.duration, 0)
            if start.span.ends != "never":
                self.assertEqual(start.span.ends, one.span.edge)

    def test_errors_have_their_priority_and_share(self):
        found = made(5000, errors=0.3)
        failed = [one for one in found if one.event_type.endswith(".error")]
        self.assertGreater(len(failed), 100)
        self.assertEqual({"ERROR"}, {one.priority for one in failed})
        self.assertFalse([one for one in made(3000, errors=0.0)
                          if one.event_type.endswith(".error")])

    def test_missing_ends_are_never_heard(self):
        found = made(5000, missing_ends=0.2)
        answered = {one.span.start_message_id for one in found if one.span}
        lost = [one for one in found if one.span and one.span.ends == "never"]
        self.assertGreater(len(lost), 100)
        self.assertEqual([], [one.event_type for one in lost
                              if one.message_id in answered])

    def test_both_nova_formats_tell_the_same(self):
        found = made(3000, nova_format="both", services=("nova",))
        legacy = {one.resource_id for one in found
                  if one.event_type == "compute.instance.create.end"}
        versioned = {one.resource_id for one in found
                     if one.event_type == "instance.create.end"}
        self.assertGreater(len(legacy), 30)
        # The last one may have been cut off between the two.
        self.assertLessEqual(len(legacy ^ versioned), 1)

    def test_a_live_migration_is_in_the_owners_project(self):
        found = [one for one in made(5000, services=("nova",))
                 if "live_migration" in one.event_type]
        self.assertTrue(found)
        for one in found:
            self.assertEqual(one.project_id, one.payload["tenant_id"])
            self.assertNotEqual(one.project_id, one.context["project_id"])

    def test_tenants_who_are_named_are_named_rightly(self):
        for one in made(4000):
            payload = one.payload
            body = payload.get("nova_object.data", payload)
            for key in ("tenant_id", "owner"):
                if key in body:
                    self.assertEqual(one.project_id, body[key], one)

    def test_captured_payloads_have_no_key_that_ours_lack(self):
        if not os.path.exists(CAPTURED):
            self.skipTest("no captured notifications at hand")
        ours = {}
        for one in made(20000, nova_format="both", errors=0.2):
            ours.setdefault(one.event_type, one)
        compared = set()
        with open(CAPTURED) as file:
            for line in file:
                real = json.loads(line)
                mine = ours.get(real["event_type"])
                if mine is None or real["event_type"] in compared:
                    continue
                compared.add(real["event_type"])
                self.assertFalse(
                    _keys(real["payload"]) - _keys(mine.payload) - _RARE,
                    real["event_type"])
                self.assertEqual(set(real["context"]), set(mine.context))
        self.assertGreater(len(compared), 50)


def _keys(payload):
    return set(payload.get("nova_object.data", payload))


class TestTime(unittest.TestCase):

    def test_without_a_span_they_come_evenly(self):
        start = datetime.datetime(2026, 3, 1, tzinfo=UTC)
        found = made(11, pace=10, start=start)
        self.assertEqual("2026-03-01 00:00:00", found[0].timestamp)
        self.assertEqual("2026-03-01 00:00:00.100000", found[1].timestamp)
        self.assertEqual("2026-03-01 00:00:01", found[10].timestamp)

    def test_a_span_is_filled_and_not_exceeded(self):
        start = datetime.datetime(2026, 3, 1, tzinfo=UTC)
        found = made(5000, start=start, span=30 * 86400.0)
        times = [datetime.datetime.fromisoformat(one.timestamp)
                 for one in found]
        self.assertEqual(sorted(times), times)
        days = (times[-1] - times[0]).total_seconds() / 86400
        self.assertTrue(25 < days <= 30, days)

    def test_durations_in_a_span_are_lifelike(self):
        found = made(5000, span=30 * 86400.0, services=("nova",))
        boots = sorted(one.span.duration for one in found
                       if one.event_type == "compute.instance.create.end")
        self.assertTrue(5 < boots[len(boots) // 2] < 30)


class TestDisturbance(unittest.TestCase):

    def test_repetitions_are_the_same_message_again(self):
        found = made(2000, duplicates=0.2)
        first = {}
        again = 0
        for one in found:
            if one.copy == 1:
                first[one.message_id] = one
            else:
                again += 1
                self.assertEqual(first[one.message_id].message(),
                                 one.message())
        self.assertEqual(2000, len(first))
        self.assertTrue(300 < again < 800, again)

    def test_the_shuffle_loses_nothing_and_moves_much(self):
        plain, mixed = made(2000), made(2000, shuffle=100)
        self.assertEqual(collections.Counter(ids(plain)),
                         collections.Counter(ids(mixed)))
        place = {name: at for at, name in enumerate(ids(plain))}
        early = [place[name] - at for at, name in enumerate(ids(mixed))]
        self.assertLess(max(early), 100)
        self.assertGreater(sum(map(abs, early)) / 2000, 20)

    def test_padding_reaches_the_wanted_size_exactly(self):
        sizes = [len(orjson.dumps(one.message()))
                 for one in made(500, event_bytes=2500)]
        self.assertEqual(2500, min(sizes))
        self.assertGreater(sizes.count(2500), 450)
