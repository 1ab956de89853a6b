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

"""All peers of the benchmark of decisions come to the same matches."""

from collections.abc import Mapping
import json
import operator
import os
import pathlib
import random
import tempfile
import unittest

from tests.bench import peers
from tests.bench.peers import aodh
from tests.bench.peers import esper
from tests.bench.peers.leaves import leaves
from tests.bench.sample import event
from tests.bench.sample import Missing

_COMPARE = {"=": operator.eq, "prefix": str.startswith, ">": operator.gt,
            ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def matches(pattern: Mapping, body: Mapping) -> bool:
    """Return whether every field holds one of its alternatives."""
    for name, wanted in pattern.items():
        value = body.get(name)
        if isinstance(wanted, Mapping):
            if not isinstance(value, Mapping) or not matches(wanted, value):
                return False
        elif not any(_holds(one, value) for one in wanted):
            return False
    return True


def _holds(wanted, value) -> bool:
    if isinstance(wanted, Mapping) and "prefix" in wanted:
        return isinstance(value, str) and value.startswith(wanted["prefix"])
    if isinstance(wanted, Mapping):
        bounds = wanted["numeric"]
        return isinstance(value, int | float) and all(
            _COMPARE[sign](value, bound)
            for sign, bound in zip(bounds[::2], bounds[1::2], strict=True))
    return value == wanted


def rules_for(sent: list[dict]) -> list[dict]:
    """Return rules of every form, of all projects and of one instance."""
    patterns = []
    for one in sent[::4]:
        project = {"project_id": [one["project_id"]]}
        patterns += [
            {**project, "event_type": [one["event_type"]],
             "resource_id": [one["resource_id"]]},
            {**project, "event_type": [one["event_type"]],
             "traits": {"state": ["active"]}},
            {**project, "event_type": [{"prefix": "compute.instance."}],
             "traits": {"host": [one["traits"]["host"], "host-3", "none"]}},
            {**project, "traits": {
                "memory_mb": [{"numeric": [">", 512, "<=", 2048]}],
                "vcpus": [one["traits"]["vcpus"], 0]}},
            {**project, "event_type": ["no.such.type"]}]
    return [{"id": f"rule-{number}", "project_id": pattern["project_id"][0],
             "pattern": pattern} for number, pattern in enumerate(patterns)]


class TestPeers(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = random.Random(3)
        cls.sent = [event(number, 3, rng) for number in range(60)]
        cls.rules = rules_for(cls.sent)
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.files = {}
        for name in ("sent", "rules"):
            cls.files[name] = pathlib.Path(holder.name) / name
            cls.files[name].write_text("".join(
                json.dumps(one) + "\n" for one in getattr(cls, name)))

    def agrees(self, name):
        expected = sum(matches(rule["pattern"], one)
                       for rule in self.rules for one in self.sent)
        self.assertGreater(expected, len(self.sent))
        try:
            told = peers.run(name, self.files["sent"], self.files["rules"],
                             warm=0.1, seconds=0.1)
        except Missing as error:
            if os.environ.get("CI") == "true":
                raise
            self.skipTest(str(error))
        self.assertEqual((expected, len(self.rules), len(self.sent)),
                         (told["matches"], told["rules"], told["events"]))
        self.assertGreater(told["events_s"], 0)

    def test_event_ruler_agrees_with_a_naive_matcher(self):
        self.agrees("event-ruler")

    def test_esper_agrees_with_a_naive_matcher(self):
        self.agrees("esper")

    def test_aodh_agrees_with_a_naive_matcher(self):
        self.agrees("aodh")

    def test_what_not_all_peers_have_is_refused(self):
        for leaf in ({"exists": False}, {"anything-but": "a"}, True, None):
            with self.assertRaises(ValueError):
                list(leaves({"traits": {"state": [leaf]}}))

    def test_esper_is_not_given_a_field_of_two_types(self):
        with self.assertRaisesRegex(ValueError, "state is a string"):
            esper.translate([{"id": "a", "pattern": {"state": ["a"]}},
                             {"id": "b", "pattern": {"state": [1]}}])

    def test_aodh_is_not_given_what_an_alarm_cannot_say(self):
        for path, leaf in (("resource_id", {"prefix": "a"}),
                           ("project_id", "another")):
            with self.assertRaisesRegex(ValueError, "an alarm cannot say"):
                list(aodh.alarms_of({"id": "a", "project_id": "p",
                                     "pattern": {path: [leaf]}}))
