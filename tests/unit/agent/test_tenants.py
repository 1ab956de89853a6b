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


"""Whose event it is: the table of each service, in its order."""

import unittest

from monasca_events_agent.definitions import Definitions
from monasca_events_agent.normalise import Normaliser
from monasca_events_agent.tenants import Tenants
from monasca_events_common.errors import Misconfigured

OPERATOR = "0" * 32
NOW = "2026-11-22T12:00:00.000000Z"
A = "a" * 32
B = "b" * 32
CALLER = "c" * 32
DASHED = "c7976e00-6086-47de-a1cd-e66ce0e4f581"


def wrapped(**data) -> dict:
    return {"nova_object.name": "P", "nova_object.version": "1.0",
            "nova_object.namespace": "nova", "nova_object.data": data}


#: event type, payload, whose it is when the caller is CALLER
TABLE = [
    ("compute.instance.update", {"tenant_id": A}, A),
    ("compute.instance.update", {"project_id": A}, A),
    ("compute.instance.update", {}, CALLER),
    ("instance.create.end", wrapped(tenant_id=A), A),
    ("instance.create.end", wrapped(project_id=A), A),
    ("compute_task.build_instances.error",
     wrapped(request_spec=wrapped(project_id=A)), A),
    ("server_group.create", wrapped(project_id=A), A),
    ("scheduler.select_destinations.end",
     {"request_spec": {"instance_properties": {"project_id": A}}}, A),
    ("compute_task.migrate_server",
     {"instance_properties": {"project_id": A}}, A),
    ("prep_resize", {"args": {"instance": {"project_id": A}}}, A),
    ("aggregate.create.end", {"aggregate_id": 1}, CALLER),
    ("volume.create.end", {"tenant_id": A}, A),
    ("snapshot.create.end", {"tenant_id": A}, A),
    ("backup.create.end", {"project_id": A}, A),
    ("volume_type.create", {"volume_types": {"id": "x"}}, CALLER),
    ("port.create.end", {"port": {"tenant_id": A}}, A),
    ("port.create.end", {"port": {"project_id": A, "tenant_id": B}}, A),
    ("network.create.end", {"networks": [{"id": 1}, {"tenant_id": A}]}, A),
    ("network.delete.start", {"network_id": "n"}, CALLER),
    ("floatingip.update.end", {"floatingip": {"project_id": A}}, A),
    ("security_group_rule.create.end",
     {"security_group_rule": {"tenant_id": A}}, A),
    ("router.interface.create", {"router_interface": {"tenant_id": A}}, A),
    ("image.update", {"owner": A}, A),
    ("image.update", {"owner": DASHED}, DASHED),
    ("image.send", {"owner_id": A, "receiver_tenant_id": B}, A),
    ("image.update", {"owner": "tenant1"}, CALLER),
    ("identity.project.created", {"resource_info": A}, A),
    ("identity.project.updated", {"target": {"id": A}, "initiator":
                                  {"project_id": B}}, A),
    ("identity.user.created", {"resource_info": A,
                               "initiator": {"project_id": B}}, B),
    ("identity.authenticate", {"initiator": {"project_id": B}}, B),
    ("identity.authenticate", {"initiator": {"id": B}}, CALLER),
    ("identity.role_assignment.created", {"project": A, "initiator":
                                          {"project_id": B}}, A),
    ("orchestration.stack.create.end", {"tenant_id": A}, A),
    ("octavia.loadbalancer.create.end", {"project_id": A}, A),
    ("objectstore.http.request", {"target": {"id": A}, "initiator":
                                  {"project_id": B}}, A),
    ("objectstore.http.request", {"initiator": {"project_id": B}}, B),
    ("baremetal.node.power_set.end", {
        "ironic_object.name": "NodeSetPowerStatePayload",
        "ironic_object.data": {"uuid": "n", "owner": A}}, A),
    ("baremetal.node.create.end", {"ironic_object.data": {"owner": None}},
     CALLER),
    ("dns.zone.create", {"tenant_id": A}, A),
    ("dns.recordset.update", [{"tenant_id": A, "zone_id": "z"}], A),
    ("magnum.cluster.create", {"initiator": {"project_id": A}}, A),
    ("share.create.start", {"project_id": A}, A),
    ("trove.instance.create", {"tenant_id": A}, A),
    ("audit.http.request", {"initiator": {"project_id": A}}, A),
    ("something.else", {"project_id": A}, A),
    ("something.else", {"tenant_id": {"id": A}}, CALLER),
]


class TestTable(unittest.TestCase):
    """B10: the agent finds the tenant of every event."""

    def setUp(self):
        super().setUp()
        self.normaliser = Normaliser(Definitions.load(), OPERATOR)

    def normalise(self, event_type, payload, **context):
        return self.normaliser.normalise(
            {"event_type": event_type, "payload": payload,
             "timestamp": NOW, "message_id": "m", **context}, NOW)

    def test_the_resources_project_comes_before_the_callers(self):
        for event_type, payload, expected in TABLE:
            with self.subTest(event_type=event_type, payload=payload):
                made = self.normalise(event_type, payload,
                                      _context_project_id=CALLER)
                self.assertEqual(expected, made["project_id"])
                self.assertNotIn("tenant_unknown", made["marks"])
                if expected != CALLER:
                    self.assertEqual(CALLER,
                                     made["traits"]["initiator_project_id"])

    def test_without_any_project_it_is_the_operators(self):
        for event_type, payload, expected in TABLE:
            if expected == CALLER:
                with self.subTest(event_type=event_type):
                    made = self.normalise(event_type, payload)
                    self.assertEqual(OPERATOR, made["project_id"])
                    self.assertIs(True, made["marks"]["tenant_unknown"])

    def test_the_context_may_call_the_project_by_any_of_its_names(self):
        for name in ("project_id", "project", "tenant", "tenant_id"):
            with self.subTest(name=name):
                self.assertEqual(CALLER, self.normalise(
                    "x.y", {}, **{f"_context_{name}": CALLER})["project_id"])
                self.assertEqual(CALLER, self.normalise(
                    "x.y", {}, context={name: CALLER})["project_id"])


class TestTenants(unittest.TestCase):

    def test_what_does_not_look_like_a_project_id_is_passed_over(self):
        tenants = Tenants(OPERATOR)
        for bad in ("", "../x", "A" * 32, A + "\n", A[:-1], "_all", 7, None):
            with self.subTest(bad=bad):
                self.assertEqual(
                    (OPERATOR, False),
                    tenants.find({"p": bad}, [lambda p: p["p"]], None))

    def test_an_operator_may_say_what_a_project_id_looks_like(self):
        tenants = Tenants("ops", r"[a-z]{1,8}")
        self.assertEqual(("web", True), tenants.find({}, (), "web"))

    def test_a_configuration_that_cannot_work_is_refused(self):
        for arguments in ((OPERATOR, "["), ("",), ("ops",)):
            with self.subTest(arguments=arguments), \
                    self.assertRaises(Misconfigured):
                Tenants(*arguments)


if __name__ == "__main__":
    unittest.main()
