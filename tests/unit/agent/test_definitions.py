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


"""Definitions: choosing, inheriting, merging, and what an error says
(B40, T15)."""

import os
import pathlib
import re
import tempfile
import textwrap
import unittest

from monasca_events_agent import definitions
from monasca_events_agent import paths
from monasca_events_agent.definitions import Definitions
from monasca_events_agent.traits import TYPES
from monasca_events_common.errors import Misconfigured

DOCS = pathlib.Path(__file__).parents[3] / "doc/source"

#: One event type of every kind a service is known to emit: the definition
#: that has to claim it, and whether it comes versioned.
CLAIMED = [
    ("compute.instance.create.end", False, "nova-instance-legacy"),
    ("compute.instance.live_migration._post.end", False,
     "nova-instance-legacy"),
    ("instance.create.end", True, "nova-instance-versioned"),
    ("compute_task.build_instances", False, "nova-tasks-legacy"),
    ("compute_task.build_instances.error", True, "nova-tasks-versioned"),
    ("scheduler.select_destinations.start", False, "nova-tasks-legacy"),
    ("scheduler.select_destinations.start", True, "nova-tasks-versioned"),
    ("prep_resize", False, "nova-functions-legacy"),
    ("compute.exception", True, "nova-exception-versioned"),
    ("aggregate.addhost.start", False, "nova-aggregate-legacy"),
    ("aggregate.add_host.start", True, "nova-aggregate-versioned"),
    ("flavor.create", True, "nova-flavor-versioned"),
    ("keypair.create.end", False, "nova-keypair-legacy"),
    ("keypair.create.end", True, "nova-keypair-versioned"),
    ("servergroup.create", False, "nova-server-group-legacy"),
    ("server_group.create", True, "nova-server-group-versioned"),
    ("service.update", True, "nova-service-versioned"),
    ("compute.metrics.update", False, "nova-metrics-legacy"),
    ("metrics.update", True, "nova-metrics-versioned"),
    ("compute.libvirt.error", False, "nova-libvirt-legacy"),
    ("libvirt.connect.error", True, "nova-libvirt-versioned"),
    ("volume.usage", True, "nova-volume-usage"),
    ("volume.usage", False, "nova-volume-usage"),
    ("volume.create.end", False, "cinder-volume"),
    ("volume.attach.start", False, "cinder-volume"),
    ("snapshot.create.end", False, "cinder-snapshot"),
    ("backup.create.end", False, "cinder-backup"),
    ("group.create.end", False, "cinder"),
    ("scheduler.create_volume", False, "cinder-scheduler"),
    ("scheduler.create_group", False, "cinder-scheduler-group"),
    ("scheduler.create_snapshot", False, "cinder-scheduler-snapshot"),
    ("group_snapshot.create.end", False, "cinder"),
    ("volume_type.create", False, "cinder-type"),
    ("volume_type_extra_specs.create", False, "cinder-type"),
    ("transfer.accept.end", False, "cinder-transfer"),
    ("network.create.end", False, "neutron"),
    ("subnet.update.start", False, "neutron"),
    ("port.delete.end", False, "neutron-port"),
    ("router.update.end", False, "neutron-router"),
    ("router.interface.create", False, "neutron-router-interface"),
    ("floatingip.update.end", False, "neutron"),
    ("security_group.create.end", False, "neutron"),
    ("security_group_rule.create.end", False, "neutron"),
    ("agent.update.end", False, "neutron"),
    ("ipsec_site_connection.create.end", False, "neutron-vpn"),
    ("image.upload", False, "glance"),
    ("image.member.create", False, "glance-member"),
    ("task.success", False, "glance-task"),
    ("metadef_namespace.create", False, "glance-metadef"),
    ("identity.user.created", False, "keystone"),
    ("identity.project.deleted", False, "keystone-project"),
    ("identity.authenticate", False, "keystone-authenticate"),
    ("identity.role_assignment.created", False, "keystone-assignment"),
    ("orchestration.stack.create.end", False, "heat"),
    ("orchestration.autoscaling.end", False, "heat-autoscaling"),
    ("octavia.loadbalancer.create.end", False, "octavia"),
    ("loadbalancer.create.end", False, "neutron-lbaas"),
    ("objectstore.http.request", False, "swift"),
    ("baremetal.node.provision_set.end", True, "ironic-node"),
    ("baremetal.port.create.end", True, "ironic"),
    ("hardware.ipmi.metrics.update", False, "ironic-sensors"),
    ("dns.zone.create", False, "designate-zone"),
    ("dns.recordset.create", False, "designate"),
    ("magnum.cluster.create", False, "magnum"),
    ("share.create.end", False, "manila"),
    ("share_group.create.end", False, "manila"),
    ("trove.instance.create", False, "trove"),
    ("dbaas.cluster_create.start", False, "trove-cluster"),
    ("dbaas.backup_create.end", False, "trove-backup"),
    ("barbican.secret.read", False, "barbican"),
    ("secret.delete", False, "barbican-bare"),
    ("audit.http.response", False, "audit-middleware"),
    ("alarm.state_transition", False, "aodh"),
    ("nobody.knows.this", False, "default"),
]


class FilesCase(unittest.TestCase):

    def file(self, text: str) -> str:
        handle, name = tempfile.mkstemp(suffix=".yaml")
        self.addCleanup(os.unlink, name)
        with os.fdopen(handle, "w") as stream:
            stream.write(textwrap.dedent(text))
        return name


class TestShipped(unittest.TestCase):

    def test_every_service_has_its_definition(self):
        chosen = Definitions.load()
        for event_type, versioned, name in CLAIMED:
            with self.subTest(event_type=event_type, versioned=versioned):
                self.assertEqual(name,
                                 chosen.choose(event_type, versioned).name)

    def test_an_answer_is_remembered_and_the_memory_bounded(self):
        chosen = Definitions.load()
        for number in range(definitions.MEMO + 10):
            chosen.choose(f"hostile.{number}", False)
        self.assertLessEqual(len(chosen._memo[False]), definitions.MEMO)
        self.assertIs(chosen.choose("image.update", False),
                      chosen.choose("image.update", False))

    def test_parts_of_the_event_type_stand_for_braces(self):
        plan = Definitions.load().choose("subnet.create.end", False)
        self.assertEqual("network.subnet", plan.resource_type)
        found = [place.get({"subnet": {"id": "s"}})
                 for place in plan.ids["resource_id"]]
        self.assertIn("s", found)


class TestSite(FilesCase):

    def test_a_new_definition_comes_last_and_wins(self):
        chosen = Definitions.load([self.file("""
            - name: mine
              inherits: nova-instance-legacy
              event_type: ["compute.instance.*", "!compute.instance.exists"]
              traits:
                team: {path: metadata.team}
                reservation_id: null
            """)])
        plan = chosen.choose("compute.instance.update", False)
        names = [trait[0] for trait in plan.traits]
        self.assertEqual("mine", plan.name)
        self.assertEqual("nova", plan.service)
        self.assertIn("team", names)
        self.assertIn("vcpus", names)
        self.assertNotIn("reservation_id", names)
        self.assertEqual("nova-instance-legacy", chosen.choose(
            "compute.instance.exists", False).name)

    def test_a_definition_of_a_known_name_changes_that_one(self):
        chosen = Definitions.load([self.file("""
            - name: neutron
              mask: [description]
              traits:
                mtu: {type: integer, path: "{0}.mtu"}
            """)])
        network = chosen.choose("network.create.end", False)
        self.assertEqual("neutron", network.name)
        self.assertIn("mtu", [trait[0] for trait in network.traits])
        self.assertTrue(network.rules.hides("description"))
        # What inherits from it changes with it.
        port = chosen.choose("port.create.end", False)
        self.assertIn("mtu", [trait[0] for trait in port.traits])

    def test_every_example_of_the_reference_page_loads(self):
        page = (DOCS / "reference/definitions.rst").read_text()
        examples = re.findall(r".. code-block:: yaml\n\n((?:    .*\n|\n)+)",
                              page)
        self.assertEqual(3, len(examples))
        for example in examples:
            with self.subTest(example=example):
                Definitions.load([self.file(example)])

    def test_an_empty_file_changes_nothing(self):
        self.assertEqual("glance", Definitions.load(
            [self.file("# nothing")]).choose("image.x", False).name)

    def test_an_error_names_file_entry_key_and_what_was_expected(self):
        for text, *words in (
                ("x: [", "is not YAML"),
                ("a: b", "a list of definitions"),
                ("- 7", "definition 1", "a mapping"),
                ("- event_type: x", "name is None", "a word"),
                ("- {name: n, evnt_type: x}", "'n'", "'evnt_type'", "one of"),
                ("- {name: n, event_type: []}", "event_type", "a glob"),
                ("- {name: n, event_type: [7]}", "event_type", "a glob"),
                ("- {name: n, format: new}", "format", "versioned"),
                ("- {name: n, twin: maybe}", "twin", "true or false"),
                ("- {name: n, service: [1]}", "service", "a string"),
                ("- {name: n, resource_id: 'a..b'}", "resource_id", "a path"),
                ("- {name: n, drop: [1]}", "drop", "a path"),
                ("- {name: n, mask: [1]}", "mask", "keys"),
                ("- {name: n, traits: [a]}", "traits", "a mapping"),
                ("- {name: n, traits: {s: int}}", "traits.s.type",
                 "integer, float"),
                ("- {name: n, traits: {s: {typ: x}}}", "traits.s",
                 "type and path"),
                ("- {name: n, traits: {7s: string}}", "traits.7s", "a name"),
                ("- {name: n, traits: {s: {path: ''}}}", "traits.s.path",
                 "a path"),
                ("- {name: n, inherits: nobody, event_type: x}", "'n'",
                 "'nobody'", "name of a definition"),
                ("- {name: n, inherits: n, event_type: x}", "'n'",
                 "inherit from it"),
                ("- {name: a, inherits: b}\n- {name: b, inherits: a}",
                 "inherit from it"),
                ("- {name: n}\n- {name: n}", "definition 2", "used once")):
            with self.subTest(text=text):
                name = self.file(text)
                with self.assertRaises(Misconfigured) as caught:
                    Definitions.load([name])
                for word in (name, *words):
                    self.assertIn(word, str(caught.exception))

    def test_a_file_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(Misconfigured, "nowhere.yaml"):
            Definitions.load(["nowhere.yaml"])

    def test_yaml_cannot_make_objects(self):
        with self.assertRaisesRegex(Misconfigured, "is not YAML"):
            Definitions.load([self.file("- !!python/object/apply:os.getcwd")])


class TestPaths(unittest.TestCase):

    def test_paths_find_what_they_name(self):
        payload = {"a": {"b": 1, "c.d": {"e": 2}}, "l": [{"x": None},
                   {"x": {"y": 3}}], "r": "http://h/images/7", "n": None}
        for path, expected in (
                ("a.b", 1), ('a."c.d".e', 2), ("l.1.x.y", 3), ("l.*.x.y", 3),
                ("r./", "7"), ("n.x", None), ("a.b.c", None), ("l.9.x", None),
                ("l.x", None), ("nowhere", None), ("a.nowhere.x", None),
                ("l.*.nothing", None), ("a./", None)):
            with self.subTest(path=path):
                place = paths.compile_path(path)
                self.assertEqual(expected, place.get(payload))


class TestTypes(unittest.TestCase):

    def test_values_become_what_their_trait_says_or_nothing(self):
        for kind, value, expected in (
                ("string", "x", "x"), ("string", 7, "7"),
                ("string", True, "true"), ("string", ["a", 1], "a,1"),
                ("string", {"a": 1}, None), ("string", [], None),
                ("string", [["a"], {}], None),
                ("integer", 7, 7), ("integer", "7", 7), ("integer", 7.0, 7),
                ("integer", 7.5, None), ("integer", True, None),
                ("integer", "x", None), ("integer", "9" * 20, None),
                ("integer", "9" * 5000, None), ("integer", [1], None),
                ("float", 1, 1.0), ("float", "1.5", 1.5),
                ("float", "nan", None), ("float", "x", None),
                ("boolean", False, False), ("boolean", "True", True),
                ("boolean", 0, False), ("boolean", 2, None),
                ("boolean", 1.0, None),
                ("datetime", "2026-11-22 05:12:51+00:00",
                 "2026-11-22T05:12:51.000000Z"),
                ("datetime", "2026-11-22T05:12:51Z",
                 "2026-11-22T05:12:51.000000Z"),
                ("datetime", 0, "1970-01-01T00:00:00.000000Z"),
                ("datetime", "soon", None), ("datetime", [], None)):
            with self.subTest(kind=kind, value=value):
                found = TYPES[kind](value)
                self.assertEqual(expected, found)
                self.assertIs(type(expected), type(found))


if __name__ == "__main__":
    unittest.main()
