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


"""The normaliser: canonical events, whatever is on the wire."""

import json
import pathlib
import random
import unittest

import orjson

from monasca_events_agent.definitions import Definitions
from monasca_events_agent.normalise import Dropped
from monasca_events_agent.normalise import MAX_PATHS
from monasca_events_agent.normalise import Normaliser
from monasca_events_agent.wire import assemble
from monasca_events_agent.wire import open_envelope
from monasca_events_common import event
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected

SAMPLES = pathlib.Path(__file__).parents[4] / "shared/data/notifications"
OPERATOR = "0" * 32
PROJECT = "a" * 32
NOW = "2026-11-22T12:00:00.000000Z"
DEFINITIONS = Definitions.load()


def lines(name: str) -> list[str]:
    return (SAMPLES / name).read_text().splitlines()


def notification(**fields) -> dict:
    return {"event_type": "compute.instance.update",
            "publisher_id": "compute.cmp-1", "priority": "info",
            "message_id": "11111111-2222-3333-4444-555555555555",
            "timestamp": "2026-11-22 11:59:59.123456",
            "payload": {"tenant_id": PROJECT, "instance_id": "i-1",
                        "state": "active", "memory_mb": 512},
            "_context_request_id": "req-1", "_context_user_id": "u-1",
            "_context_project_id": PROJECT, "_context_auth_token": "CANARY",
            "_context_global_request_id": "req-0",
            "_context_project_domain": "default", **fields}


def versioned(**data) -> dict:
    return {"nova_object.name": "InstanceActionPayload",
            "nova_object.namespace": "nova", "nova_object.version": "1.9",
            "nova_object.data": data}


def nested(depth: int) -> dict:
    value: dict = {"bottom": 1}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


class NormaliseCase(unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.normaliser = Normaliser(DEFINITIONS, OPERATOR)

    def normalise(self, **fields) -> dict:
        made = self.normaliser.normalise(notification(**fields), NOW)
        self.check(made)
        return made

    def check(self, made: dict) -> None:
        """What the API would refuse must not leave the agent."""
        self.assertEqual(event.FIELDS, tuple(made))
        event.check_traits(made["traits"])
        event.record(made)
        for name in event.STRING_FIELDS:
            value = made[name]
            self.assertTrue(value is None or (
                isinstance(value, str) and len(value) <= event.MAX_STRING))
        event.parse_time(made["timestamp"])


class TestCanonicalForm(NormaliseCase):

    def test_a_legacy_notification_becomes_the_canonical_event(self):
        self.assertEqual({
            "event_id": "11111111-2222-3333-4444-555555555555",
            "project_id": PROJECT, "event_type": "compute.instance.update",
            "timestamp": "2026-11-22T11:59:59.123456Z", "received_at": NOW,
            "publisher_id": "compute.cmp-1", "priority": "INFO",
            "source": "notification", "resource_type": "compute.instance",
            "resource_id": "i-1", "user_id": "u-1", "domain_id": "default",
            "request_id": "req-1", "global_request_id": "req-0",
            "traits": {"state": "active", "memory_mb": 512,
                       "service": "nova", "host": "cmp-1"},
            "dimensions": {},
            "payload": {"tenant_id": PROJECT, "instance_id": "i-1",
                        "state": "active", "memory_mb": 512},
            "marks": {}}, self.normalise())

    def test_a_versioned_payload_loses_its_wrappers_at_every_level(self):
        made = self.normalise(
            event_type="instance.update", publisher_id="nova-compute:cmp-1",
            payload=versioned(
                uuid="i-1", tenant_id=PROJECT, flavor=versioned(vcpus=2),
                ip_addresses=[versioned(address="10.0.0.1")]))
        self.assertEqual({"uuid": "i-1", "tenant_id": PROJECT,
                          "flavor": {"vcpus": 2},
                          "ip_addresses": [{"address": "10.0.0.1"}]},
                         made["payload"])
        self.assertEqual("i-1", made["resource_id"])
        self.assertEqual({
            "vcpus": 2, "ip_address": "10.0.0.1", "service": "nova",
            "host": "cmp-1", "nova_object.name": "InstanceActionPayload",
            "nova_object.version": "1.9"}, made["traits"])

    def test_both_formats_of_a_fact_give_the_same_traits(self):
        legacy = self.normalise(payload={
            "instance_id": "i", "state": "active", "old_state": "building",
            "memory_mb": 512, "vcpus": 1, "instance_type": "m1.tiny",
            "created_at": "2026-11-22 05:12:46+00:00"})
        new = self.normalise(event_type="instance.update", payload=versioned(
            uuid="i", flavor=versioned(name="m1.tiny", memory_mb=512,
                                       vcpus=1),
            state_update=versioned(state="active", old_state="building"),
            created_at="2026-11-22T05:12:46Z"))
        shared = {"state", "old_state", "memory_mb", "vcpus", "flavor",
                  "created_at"}
        self.assertLessEqual(shared, legacy["traits"].keys())
        self.assertEqual({name: legacy["traits"][name] for name in shared},
                         {name: new["traits"][name] for name in shared})

    def test_an_endpoints_arguments_make_the_same_event(self):
        found = notification()
        context = {key.removeprefix("_context_"): value
                   for key, value in found.items()
                   if key.startswith("_context_")}
        made = self.normaliser.normalise(assemble(
            context, found["publisher_id"], found["event_type"],
            found["payload"], {"message_id": found["message_id"],
                               "timestamp": found["timestamp"]}, "info"), NOW)
        self.assertEqual(self.normalise(), made)

    def test_who_acted_on_anothers_resource_is_a_trait(self):
        made = self.normalise(_context_project_id="b" * 32,
                              _context_user_id="admin",
                              payload={"tenant_id": PROJECT, "user_id": "u"})
        self.assertEqual("u", made["user_id"])
        self.assertEqual("admin", made["traits"]["initiator_user_id"])
        self.assertEqual("b" * 32, made["traits"]["initiator_project_id"])

    def test_a_cadf_payload_tells_its_ids(self):
        made = self.normalise(
            event_type="identity.user.updated", _context_request_id=None,
            payload={"resource_info": "u-9", "action": "updated.user",
                     "outcome": "success", "target": {"id": "u-9"},
                     "initiator": {"user_id": "u-7", "project_id": PROJECT,
                                   "request_id": "req-7",
                                   "host": {"address": "192.0.2.1"}}})
        self.assertEqual(("identity.user", "u-9", "u-7", "req-7"),
                         (made["resource_type"], made["resource_id"],
                          made["user_id"], made["request_id"]))
        self.assertEqual("192.0.2.1", made["traits"]["initiator_address"])

    @unittest.skipUnless(SAMPLES.exists(), f"{SAMPLES} is not here")
    def test_every_captured_notification_becomes_an_event(self):
        for line in lines("wire-captured.jsonl"):
            made = self.normaliser.normalise(json.loads(line), NOW)
            self.check(made)
            self.assertIsNotNone(made["resource_type"])
            self.assertIn("service", made["traits"])
        for line in lines("nova-versioned.jsonl"):
            self.check(self.normaliser.normalise(
                json.loads(line)["notification"], NOW))


class TestFormats(NormaliseCase):

    def test_the_other_format_of_the_same_fact_is_dropped_by_name(self):
        new = notification(event_type="instance.update",
                           payload=versioned(uuid="i"))
        for keep, kept, dropped in (("legacy", notification(), new),
                                    ("versioned", new, notification())):
            with self.subTest(keep=keep):
                normaliser = Normaliser(DEFINITIONS, OPERATOR, keep)
                normaliser.normalise(kept, NOW)
                with self.assertRaises(Dropped) as caught:
                    normaliser.normalise(dropped, NOW)
                self.assertEqual("other_format_kept", caught.exception.reason)

    def test_what_exists_in_one_format_only_is_always_kept(self):
        for keep in ("legacy", "versioned"):
            normaliser = Normaliser(DEFINITIONS, OPERATOR, keep)
            for event_type, payload in (
                    ("flavor.create", versioned(flavorid="1")),
                    ("prep_resize", {"args": {}}),
                    ("volume.create.end", {}), ("port.create.end", {}),
                    ("baremetal.node.create.end",
                     {"ironic_object.data": {"uuid": "n"}})):
                with self.subTest(keep=keep, event_type=event_type):
                    self.check(normaliser.normalise(notification(
                        event_type=event_type, payload=payload), NOW))

    def test_a_definition_may_discard(self):
        entries = [{"name": "default", "event_type": ["*"]},
                   {"name": "no", "event_type": ["x.*"], "discard": True}]
        normaliser = Normaliser(Definitions(entries), OPERATOR)
        with self.assertRaises(Dropped) as caught:
            normaliser.normalise(notification(event_type="x.y"), NOW)
        self.assertEqual("discarded_by_definition", caught.exception.reason)

    def test_a_format_that_does_not_exist_is_refused(self):
        with self.assertRaisesRegex(Misconfigured, "both, legacy, versioned"):
            Normaliser(DEFINITIONS, OPERATOR, "new")

    def test_a_definition_may_drop_parts_of_the_payload(self):
        entries = [{"name": "default", "event_type": ["*"],
                    "drop": ["a.b", "nowhere.x"]}]
        normaliser = Normaliser(Definitions(entries), OPERATOR)
        made = normaliser.normalise(
            notification(payload={"a": {"b": 1, "c": 2}}), NOW)
        self.assertEqual({"a": {"c": 2}}, made["payload"])


class TestTime(NormaliseCase):
    """F18, R9: flagged, not lost."""

    def test_times_of_every_shape_become_canonical(self):
        for given, expected in (
                ("2026-11-22 11:59:59.123456", "11:59:59.123456Z"),
                ("2026-11-22T11:59:59Z", "11:59:59.000000Z"),
                ("2026-11-22 11:59:59", "11:59:59.000000Z"),
                ("2026-11-22T13:59:59Z+0200", "11:59:59.000000Z"),
                ("2026-11-22T11:59:60Z", "11:59:59.000000Z"),
                ("2026-11-22 11:59:60.123456", "11:59:59.123456Z"),
                (1795348799, "11:59:59.000000Z"),
                (1795348799000, "11:59:59.000000Z")):
            with self.subTest(given=given):
                made = self.normalise(timestamp=given)
                self.assertEqual("2026-11-22T" + expected, made["timestamp"])
                self.assertEqual({}, made["marks"])

    def test_without_a_time_the_arrival_counts_and_is_marked(self):
        for given in (None, "", "soon", [], {"a": 1}, float("nan"), True,
                      "\ud800"):
            with self.subTest(given=given):
                made = self.normalise(timestamp=given)
                self.assertEqual(NOW, made["timestamp"])
                self.assertIn("clock_skew", made["marks"])

    def test_an_hour_of_difference_is_marked_with_what_was_given(self):
        for given, marked in (("2026-11-22 10:59:59.000000", True),
                              ("2026-11-22 11:00:01.000000", False),
                              ("2026-11-22 13:00:01.000000", True),
                              ("2038-01-20 00:00:00.000000", True)):
            with self.subTest(given=given):
                marks = self.normalise(timestamp=given)["marks"]
                self.assertEqual({"clock_skew": given} if marked else {},
                                 marks)


class TestIdentity(NormaliseCase):

    def test_a_repeat_has_the_same_id(self):
        for fields in ({}, {"message_id": None}, {"message_id": "x" * 600},
                       {"message_id": 7}):
            with self.subTest(fields=fields):
                first = self.normalise(**fields)["event_id"]
                self.assertEqual(first, self.normalise(**fields)["event_id"])
                self.assertLessEqual(len(first), 255)

    def test_two_without_an_id_of_their_own_differ_by_their_content(self):
        self.assertNotEqual(
            self.normalise(message_id=None)["event_id"],
            self.normalise(message_id=None, payload={"a": 1})["event_id"])

    def test_without_id_and_time_each_is_a_new_one(self):
        made = [self.normalise(message_id=None, timestamp=None)["event_id"]
                for _ in range(2)]
        self.assertNotEqual(*made)


class TestPoison(NormaliseCase):
    """F12: refused with the right reason, or kept; never an accident."""

    def test_what_can_never_be_an_event_is_refused_with_a_code(self):
        for raw, code in (
                (None, "not_an_object"), ([], "not_an_object"),
                ("x", "not_an_object"), (7, "not_an_object"),
                ({}, "event_type_missing"),
                ({"event_type": None}, "event_type_missing"),
                ({"event_type": " "}, "event_type_missing"),
                ({"event_type": ["x"]}, "event_type_missing"),
                ({"event_type": "a\x00b"}, "invalid_event_type"),
                ({"event_type": "a\ud800"}, "invalid_event_type"),
                ({"event_type": "a\n2026 forged"}, "invalid_event_type"),
                ({"event_type": "x" * 2000}, "field_too_large")):
            with self.subTest(raw=str(raw)[:60]), \
                    self.assertRaises(Rejected) as caught:
                self.normaliser.normalise(raw, NOW)
            self.assertEqual(code, caught.exception.code)

    def test_bodies_that_are_no_notification_are_refused_with_a_code(self):
        for body, code in (
                (b"", "not_json"), (b"\xff\xfe", "not_json"),
                (b"{", "not_json"), (b"[1]", "not_an_object"),
                (b"null", "not_an_object"), (b'{"a": NaN}', "not_json"),
                (b'{"oslo.message": 7}', "not_json"),
                (b'{"oslo.message": "{"}', "not_json"),
                (b'{"oslo.message": "7"}', "not_an_object"),
                (b'{"oslo.version": "9.0", "oslo.message": "{}"}',
                 "unsupported_version"), (b"[" * 2000, "not_json")):
            with self.subTest(body=body[:40]), \
                    self.assertRaises(Rejected) as caught:
                open_envelope(body)
            self.assertEqual(code, caught.exception.code)

    def test_an_envelope_is_opened(self):
        inner = json.dumps(notification())
        for body in (inner, json.dumps({"oslo.version": "2.0",
                                        "oslo.message": inner})):
            self.assertEqual(notification(), open_envelope(body.encode()))

    def test_a_payload_that_is_no_object_is_kept_as_a_value(self):
        for payload, expected in (
                (1, {"value": 1}), ("x", {"value": "x"}),
                ([1, 2], {"value": [1, 2]}), (None, {}), (True,
                                                          {"value": True})):
            with self.subTest(payload=payload):
                self.assertEqual(expected,
                                 self.normalise(payload=payload)["payload"])

    def test_values_without_a_json_form_are_kept_as_text(self):
        for value, expected in (
                (2 ** 70, str(2 ** 70)), (-2 ** 63 - 1, str(-2 ** 63 - 1)),
                (2 ** 63, str(2 ** 63)), (2 ** 63 - 1, 2 ** 63 - 1),
                (float("nan"), "nan"), (float("inf"), "inf"),
                (float("-inf"), "-inf"), ("a\ud800b", "a\ufffdb"),
                ("\ud83d\ude00", "\U0001f600"), ("nul\x00", "nul\x00"),
                (b"\xff\x00a", "\ufffd\x00a"), ((1, 2), [1, 2]),
                (10 ** 5000, hex(10 ** 5000))):
            with self.subTest(value=repr(value)[:40]
                              if not isinstance(value, int) else "int"):
                made = self.normalise(payload={"v": value})
                self.assertEqual(expected, made["payload"]["v"])

    def test_keys_of_every_kind_are_kept(self):
        made = self.normalise(payload={
            "": 1, " ": 2, "a.b": 3, "\ud800": 4, 7: 5, None: 6, "\x00": 7})
        self.assertEqual({"": 1, " ": 2, "a.b": 3, "\ufffd": 4, "7": 5,
                          "None": 6, "\x00": 7}, made["payload"])

    def test_envelope_fields_of_every_kind_do_no_harm(self):
        for junk in (None, 7, [], {"a": 1}, "x" * 5000, "\ud800", "\x00",
                     float("nan"), b"\xff", True):
            with self.subTest(junk=repr(junk)[:30]):
                self.normalise(publisher_id=junk, priority=junk,
                               message_id=junk, _context_request_id=junk,
                               _context_project_id=junk,
                               _context_user_id=junk, context=junk)

    def test_random_junk_never_breaks_it(self):
        chance = random.Random(7)
        leaves = [None, 1, -1.5, 2 ** 70, "x", "\ud800", "password=x", b"\xff",
                  "", True, PROJECT, "{\"a\": 1}", "gAAAAA" + "x" * 30]
        keys = ["a", "tenant_id", "nova_object.data", "port", "args",
                "instance", "user_data", "_context", "metadata", "key",
                "value", "request_spec", "initiator", "target", "flavor"]

        def junk(depth):
            kind = chance.randrange(4) if depth else 3
            if kind == 0:
                return [junk(depth - 1) for _ in range(chance.randrange(4))]
            if kind < 3:
                return {chance.choice(keys): junk(depth - 1)
                        for _ in range(chance.randrange(6))}
            return chance.choice(leaves)

        types = ["instance.update", "compute.instance.update", "port.x",
                 "prep_resize", "identity.x", "octavia", "a.b", "image.send",
                 "orchestration.stack.x", "dns.zone.x", "scheduler.x"]
        for _ in range(600):
            self.normalise(event_type=chance.choice(types), payload=junk(6))


class TestLimits(NormaliseCase):

    def test_what_lies_too_deep_is_left_out_and_named(self):
        for depth in (20, 21, 22, 300):
            with self.subTest(depth=depth):
                made = self.normalise(payload=nested(depth))
                paths = made["marks"].get("truncated", [])
                self.assertEqual(
                    [] if depth <= 20 else ["payload" + ".a" * 20], paths)

    def test_too_many_keys_cost_the_deepest_first(self):
        made = self.normalise(payload={
            "tenant_id": PROJECT, "instance_id": "i-1",
            "wide": {f"k{number}": {"x": 1} for number in range(1500)}})
        self.assertEqual("i-1", made["resource_id"])
        self.assertEqual(1500, len(made["payload"]["wide"]))
        truncated = made["marks"]["truncated"]
        self.assertEqual(MAX_PATHS, len(truncated))
        self.assertRegex(truncated[-1], r"and \d+ more")

    def test_too_many_keys_in_one_object_are_cut_and_named(self):
        made = self.normalise(payload={str(n): n for n in range(3000)})
        self.assertEqual(2000, len(made["payload"]))
        self.assertEqual(["payload"], made["marks"]["truncated"])

    def test_an_event_that_is_too_large_loses_its_largest_strings(self):
        payload = {"tenant_id": PROJECT, "instance_id": "i-1",
                   "log": "x" * 400000, "note": "y" * 1000}
        made = self.normalise(payload=payload)
        self.assertEqual(["payload.log"], made["marks"]["truncated"])
        self.assertEqual("y" * 1000, made["payload"]["note"])
        self.assertGreater(len(made["payload"]["log"]), 50000)
        self.assertEqual(made, self.normalise(payload=payload))

    def test_an_event_of_nothing_but_small_parts_loses_the_largest(self):
        made = self.normalise(payload={
            "small": 1, "list": list(range(100000)),
            "other": ["z" * 40] * 5000})
        self.assertEqual(1, made["payload"]["small"])
        self.assertTrue(made["marks"]["truncated"])

    def test_hostile_sizes_of_every_kind_fit_in_the_end(self):
        wide = "\x01" * 1000
        for payload in (
                {"k" * 1000000: 1}, {"k" * 300 + str(n): 1
                                     for n in range(1000)},
                {f"\x01{n:0255}": "\x01" * 300 for n in range(1900)},
                {"display_name": wide, "state": wide, "host": wide,
                 "node": wide, "instance_type": wide, "x": "\x01" * 40000,
                 **{f"password_{n}_{wide[:200]}": "s" for n in range(300)}},
                nested(20), [["x" * 100000] * 100], "x" * 10 ** 6,
                {"a": [nested(30) for _ in range(300)]}):
            with self.subTest(payload=str(payload)[:40]):
                made = self.normalise(payload=payload)
                self.assertLessEqual(len(orjson.dumps(made)), 256 * 1024)
                self.assertIn("marks", made)

    def test_a_long_trait_is_cut_and_named(self):
        made = self.normalise(payload={"display_name": "n" * 2000})
        self.assertEqual(1024, len(made["traits"]["name"]))
        self.assertEqual(["traits.name"], made["marks"]["truncated"])

    def test_the_input_is_left_as_it_was(self):
        given = notification(payload={"user_data": "x", "a": {"_context": 1},
                                      "s": "y" * 300000})
        before = json.dumps(given)
        self.normaliser.normalise(given, NOW)
        self.assertEqual(before, json.dumps(given))


class TestSecrets(NormaliseCase):
    """S14: neither context nor secret enters an event."""

    def test_of_the_context_only_ids_enter(self):
        made = self.normalise(_context_roles=["CANARY"],
                              _context_service_catalog=[{"x": "CANARY"}],
                              _context_user_name="CANARY")
        self.assertNotIn("CANARY", json.dumps(made))

    def test_a_secret_does_not_come_back_as_a_trait(self):
        made = self.normalise(
            event_type="prep_resize", publisher_id="x://u:CANARY@host",
            payload={"args": {"instance": {"display_name":
                                           "mysql://u:CANARY@db/x"}},
                     "exception": "{'auth_token': 'CANARY'}"})
        self.assertNotIn("CANARY", json.dumps(made))
        self.assertEqual(
            ["payload.args.instance.display_name", "payload.exception"],
            made["marks"]["redacted"])

    def test_a_services_own_secrets_are_masked_for_that_service(self):
        for event_type, payload in (
                ("orchestration.stack.create.end",
                 {"parameters": {"x": "CANARY"}}),
                ("baremetal.node.create.end",
                 {"ironic_object.data": {"driver_info": {"x": "CANARY"}}}),
                ("volume.attach.end", {"replication_driver_data": "CANARY"}),
                ("identity.credential.created", {"blob": "CANARY"}),
                ("image.update", {"locations": [{"url": "CANARY"}]}),
                ("octavia.listener.update.end",
                 {"default_tls_container_ref": "CANARY"}),
                ("trove.instance.create", {"users": ["CANARY"]}),
                ("magnum.cluster.create", {"trustee_password": "CANARY"})):
            with self.subTest(event_type=event_type):
                made = self.normalise(event_type=event_type, payload=payload)
                self.assertNotIn("CANARY", json.dumps(made))
                self.assertEqual(1, len(made["marks"]["redacted"]))

    def test_a_long_list_of_paths_says_how_many_more_there_are(self):
        made = self.normalise(payload={f"password{n}": "x"
                                       for n in range(150)})
        self.assertEqual(MAX_PATHS, len(made["marks"]["redacted"]))
        self.assertEqual("and 51 more", made["marks"]["redacted"][-1])


if __name__ == "__main__":
    unittest.main()
