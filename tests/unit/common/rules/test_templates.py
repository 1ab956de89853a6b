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


"""The templates, on the lifecycles that the traffic generator plays."""

import unittest

from monasca_events_agent.traffic import lifecycles
from monasca_events_common.rules import definition
from monasca_events_common.rules import templates
from monasca_events_common.rules.duration import START
from monasca_events_common.rules.sequence import UNLESS
from monasca_events_engine import testing
from tests.unit.common.rules import samples


def rule(name: str):
    content = templates.template(name)
    definition.check(content)
    return definition.compile(content, trigger_id=name,
                              project_id=samples.PROJECT)


def types(name: str, slot: str) -> list[str]:
    return templates.TEMPLATES[name][slot]["event_type"]


#: Templates of one pair of events.
PAIRS = [name for name, content in templates.TEMPLATES.items()
         if content["kind"] == "absence"]


class TestTemplates(unittest.TestCase):

    def test_every_one_is_a_definition_that_costs_little(self):
        for name in templates.TEMPLATES:
            with self.subTest(template=name):
                self.assertLess(rule(name).cost, 20)

    def test_a_beginning_without_an_end_is_missed(self):
        """B3, B36"""
        for name in PAIRS:
            for kind, first in enumerate(types(name, START)):
                begun = samples.event(first, 0, request_id="req-1")
                ended = samples.event(types(name, "expect")[kind], 30,
                                      request_id="req-1")
                within = templates.TEMPLATES[name]["within"]
                with self.subTest(template=name, type=first):
                    self.assertEqual([("missed", within)], testing.outcomes(
                        rule(name), [begun], until=within + 1))
                    self.assertEqual([], testing.outcomes(
                        rule(name), [begun, ended], until=within + 1))

    def test_an_error_or_the_end_of_the_thing_ends_the_wait(self):
        for name in PAIRS:
            for one in templates.TEMPLATES[name].get(UNLESS, {}).get(
                    "event_type", ()):
                with self.subTest(template=name, type=one):
                    self.assertEqual([], testing.outcomes(rule(name), [
                        samples.event(types(name, START)[0], 0),
                        samples.event(one, 5)], until=20_000))

    def test_another_resources_end_is_none(self):
        for name in PAIRS:
            with self.subTest(template=name):
                self.assertEqual(1, len(testing.outcomes(rule(name), [
                    samples.event(types(name, START)[0], 0,
                                  request_id="req-1"),
                    samples.event(types(name, "expect")[0], 5,
                                  request_id="req-2", resource_id="vm-2")],
                    until=20_000)))

    def test_a_load_balancer_is_known_by_the_port_of_its_address(self):
        port = samples.event(
            "port.create.end", 0, resource_type="network.port",
            resource_id="port-1", traits={"device_owner": "Octavia"})
        other = {**port, "resource_id": "port-2",
                 "traits": {"device_owner": "compute:nova"}}
        made = samples.event(
            "octavia.loadbalancer.create.end", 200, resource_id="lb-1",
            traits={"port_id": "port-1"})
        watched = rule("load-balancer-create")
        self.assertEqual([("missed", 900.0)], testing.outcomes(
            watched, [port, other], until=901))
        self.assertEqual([("fired", 200.0)], testing.outcomes(
            watched, [port, other, made], until=901))

    def test_the_services_emit_what_the_templates_want(self):
        """The generator speaks as the services do."""
        heard = {one.event_type for one in lifecycles.stream(
            7, 2, lifecycles.Options(count=30_000, nova_format="both"))}
        # No server of the generator's is rebuilt.
        for name in set(PAIRS) - {"instance-rebuild"}:
            for slot in (START, "expect"):
                with self.subTest(template=name, slot=slot):
                    self.assertEqual(set(), set(types(name, slot)) - heard)
