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

"""What each service sends, and which event every field of it becomes
(B10, B25, B40).

``notifications`` has a file for each service, a list of cases: event type,
publisher, payload and context of a notification as that service sends it, and
what is expected of its event. Of the context and of the event only what is
not usual is said, see ``CALLER`` and ``USUAL``; of the traits all.
"""

import pathlib
import unittest

import yaml

from monasca_events_agent import definitions
from monasca_events_agent.definitions import Definitions
from monasca_events_agent.normalise import Normaliser
from monasca_events_common import event

CASES = {path.stem: yaml.safe_load(path.read_text())
         for path in sorted(pathlib.Path(__file__).with_name(
             "notifications").glob("*.yaml"))}

TENANT = "a" * 32

#: Who acts: an administrator of another project.
CALLER = {"request_id": "req-1", "global_request_id": "req-0",
          "user_id": "caller-1", "project_id": "c" * 32}

#: What a case need not say of its event.
USUAL = {"project_id": TENANT, "domain_id": None, "marks": {}}

#: What the payload of a versioned notification has.
WRAPPERS = ("nova_object.data", "ironic_object.data")

#: Definitions that have tests of their own: the root of all, and what does not
#: come from OpenStack.
ELSEWHERE = ("default", "syslog")


def own_traits() -> dict[str, set[str]]:
    """Return definition → the traits that it names itself."""
    return {entry["name"]: {name for name, trait
                            in entry.get("traits", {}).items() if trait}
            for entry in definitions.read(str(definitions.SHIPPED))
            if entry["name"] not in ELSEWHERE}


def ancestry() -> dict[str, str]:
    """Return definition → the one that it inherits from."""
    return {entry["name"]: entry.get("inherits", definitions.DEFAULT)
            for entry in definitions.read(str(definitions.SHIPPED))}


class TestServices(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.definitions = Definitions.load()
        cls.normaliser = Normaliser(cls.definitions, "0" * 32)

    def chosen(self, case: dict) -> str:
        """Return the definition that claims a case."""
        return self.definitions.choose(case["event_type"], any(
            name in case["payload"] for name in WRAPPERS)).name

    def normalise(self, case: dict) -> dict:
        context = case.get("context", CALLER)
        return self.normaliser.normalise(
            {"event_type": case["event_type"], "priority": "INFO",
             "publisher_id": case["publisher_id"], "message_id": "m-1",
             "timestamp": "2026-11-22 11:59:59.123456",
             "payload": case["payload"],
             **{f"_context_{name}": value
                for name, value in context.items()}},
            "2026-11-22T12:00:00.000000Z")

    def test_every_field_of_the_event_is_what_its_service_means(self):
        for service, cases in CASES.items():
            for number, case in enumerate(cases):
                with self.subTest(service=service, number=number,
                                  event_type=case["event_type"]):
                    context = case.get("context", CALLER)
                    wanted = {
                        **USUAL, "request_id": context.get("request_id"),
                        "global_request_id":
                            context.get("global_request_id"),
                        **case["event"]}
                    made = self.normalise(case)
                    self.assertEqual(wanted,
                                     {name: made[name] for name in wanted})
                    self.assertEqual(case["event_type"], made["event_type"])
                    event.check_traits(made["traits"])

    def test_every_trait_of_every_definition_has_a_case(self):
        parents, missing = ancestry(), own_traits()
        self.assertIn("barbican", missing)
        for cases in CASES.values():
            for case in cases:
                name = self.chosen(case)
                while name != definitions.DEFAULT:
                    if name in missing:
                        missing[name] -= case["event"]["traits"].keys()
                    name = parents[name]
        self.assertEqual({}, {name: sorted(traits) for name, traits
                              in missing.items() if traits})

    def test_every_definition_has_a_case(self):
        chosen = {self.chosen(case) for cases in CASES.values()
                  for case in cases}
        # Nothing is of these themselves: they are inherited from.
        self.assertEqual({"nova-legacy", "nova-versioned"},
                         own_traits().keys() - chosen)


if __name__ == "__main__":
    unittest.main()
