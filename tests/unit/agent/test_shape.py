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

"""The short way past the walk: it must never find less than the walk does."""

import copy
import json
import unittest

from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
import orjson

from monasca_events_agent import form
from monasca_events_agent import redact
from monasca_events_agent import secret_text
from monasca_events_agent import shape
from monasca_events_agent.definitions import Definitions
from monasca_events_agent.normalise import Normaliser
from monasca_events_agent.secret_keys import KeyRules
from tests.unit.agent.test_redact import lines
from tests.unit.agent.test_redact import PLACES
from tests.unit.agent.test_redact import plant
from tests.unit.agent.test_redact import SAMPLES

WRAPPER = "nova_object.data"
NOW = "2026-11-22T12:00:00.000000Z"
SETTINGS = settings(
    deadline=None, max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

KEYS = st.sampled_from((
    "id", "name", "state", "port", "host", "tenant_id", "flavor", "size",
    "image_meta", "metadata", "properties", "tags", "meta", "context",
    "catalog", "key_name", "value", "key", "parameter_key", "user_id",
    "created_at", "password_expires_at", "payload")) | st.text(max_size=6)
SECRET_KEYS = st.sampled_from((
    "password", "adminPass", "user_data", "api_key", "token_id", "auth_token",
    "_context_auth_token", "_context", "credentials", "service_catalog",
    "X-Auth-Token", "gAAAAA" + "x" * 30, "amqp://u:pw@host", "k" * 300))
#: Also secrets only where users choose the keys.
LOOSE_KEYS = st.sampled_from(("my_key", "wp-auth", "svc_cred"))
SECRETS = st.sampled_from((
    "password=hunter2", "token: abcdef", "gAAAA" + "b" * 40, "say \"x\"",
    "mysql://nova:pw@db/nova", "Authorization: Bearer abcdefgh", "it's: x",
    "-----BEGIN PRIVATE KEY-----\nMII", "AKIAIOSFODNN7EXAMPLE", "a\nb\\c",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln", '{"admin_pass": "x"}',
    "--os-password hunter2", "https://s3/i?X-Amz-Signature=abc",
    "ghp_" + "a" * 24, "xoxb-1234567890-x", "TO\u212aEN=abc",
    "pa\u017f\u017fword=x", "\u212aEY=abc", "S\u0130G=1", "cred\u0131=1"))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.text(max_size=12), st.sampled_from(
        ("active", "", "2026-11-22T11:58:31.000000", "true", "***", "\ud800",
         "a\udfff")),
    st.integers(-2 ** 65, 2 ** 65), st.floats(),
    st.sampled_from((2 ** 63 - 1, 2 ** 63, -2 ** 63, -2 ** 63 - 1, 2 ** 53)))


def objects(below) -> st.SearchStrategy:
    return st.dictionaries(KEYS, below, max_size=5)


def wrapped(strategy) -> st.SearchStrategy:
    return strategy.map(lambda value: {"nova_object.name": "N",
                                       WRAPPER: value})


VALUES = st.recursive(
    SCALARS, lambda below: st.one_of(
        objects(below), st.lists(below, max_size=3),
        wrapped(objects(below))), max_leaves=12)
PAYLOADS = objects(VALUES)


@st.composite
def changed(draw) -> tuple[dict, dict]:
    """A payload, and the same one with a few places changed: mostly to a
    secret, in a value or in a key."""
    payload = draw(PAYLOADS)
    other = copy.deepcopy(payload)
    for _change in range(draw(st.integers(1, 3))):
        container = draw(st.sampled_from(list(containers(other))))
        value = draw(st.one_of(SECRETS, SCALARS, VALUES))
        if type(container) is dict:
            fresh = st.one_of(KEYS, SECRET_KEYS, LOOSE_KEYS)
            key = draw(st.sampled_from(list(container)) | fresh
                       if container else fresh)
            container[key] = value
        elif container:
            container[draw(st.integers(0, len(container) - 1))] = value
        else:
            container.append(value)
    return payload, other


def containers(value):
    if type(value) is dict or type(value) is list:
        yield value
        for below in (value.values() if type(value) is dict else value):
            yield from containers(below)


class ShapeCase(unittest.TestCase):

    def check(self, rules: KeyRules, payload: dict, **options) -> bool:
        """Compare both ways; return whether the short one was taken."""
        before = repr(payload)
        short = redact.redact(payload, rules, **options)
        long = redact.walked(payload, KeyRules(), options.get("depth", 20),
                             options.get("wrapper"))
        self.assertEqual(before, repr(payload), "the input was changed")
        self.assertEqual(repr(ordered(long.payload)),
                         repr(ordered(short.payload)))
        self.assertEqual(long.redacted, short.redacted)
        self.assertEqual(long.truncated, short.truncated)
        self.assertGreaterEqual(short.size, long.size)
        self.assertGreaterEqual(short.keys, long.keys)
        self.assertGreaterEqual(short.longest, longest(long.payload))
        self.assertEqual(long.encoded, short.encoded)
        return short.shape is not None


def ordered(value):
    """Return the value with every object's keys in order."""
    if type(value) is dict:
        return {key: ordered(value[key]) for key in sorted(value)}
    if type(value) is list:
        return [ordered(below) for below in value]
    return value


def longest(value) -> int:
    if type(value) is str:
        return len(value)
    if type(value) is dict:
        value = value.values()
    return max(map(longest, value), default=0) \
        if hasattr(value, "__iter__") else 0


class TestShortWay(ShapeCase):
    """S14: what has been learned of one payload hides nothing in another."""

    @SETTINGS
    @given(st.lists(PAYLOADS, max_size=3), changed())
    def test_a_changed_payload_is_redacted_as_if_it_were_the_first(
            self, others, both):
        rules = KeyRules()
        for payload in (*others, both[0], both[0], *both, both[1]):
            self.check(rules, payload, wrapper=WRAPPER)

    @SETTINGS
    @given(changed(), st.integers(1, 6))
    def test_the_depth_is_kept(self, both, depth):
        rules = KeyRules()
        for payload in (*both, *both):
            self.check(rules, payload, depth=depth, wrapper=WRAPPER)
            self.check(rules, payload, depth=20, wrapper=None)

    @SETTINGS
    @given(st.lists(SCALARS | SECRETS, max_size=4))
    @example(["ghp_" + "a" * 24])
    def test_whatever_can_be_masked_is_suspicious(self, values):
        # Half a UTF-16 pair has no JSON; what has one is walked anyway.
        texts = [value for value in values if type(value) is str
                 and value == value.encode(errors="replace").decode()]
        hides = KeyRules().hides
        if any(secret_text.mask(text, hides) != text for text in texts):
            self.assertTrue(secret_text.suspicious(orjson.dumps(texts)))

    def test_every_place_of_a_secret_is_found_beside_what_is_known(self):
        for place in PLACES:
            rules = KeyRules()
            known = {"id": "i", "note": "n", "more": {"a": 1}}
            for _turn in range(3):
                redact.redact(known, rules)
            self.assertTrue(self.check(rules, known))
            secret = plant(place, "CANARY")
            for payload in ({**known, **secret}, {**known, "more": secret},
                            {**known, "more": [secret]}):
                for _turn in range(3):
                    self.assertFalse(self.check(rules, payload), payload)

    def test_a_secret_in_a_known_place_is_found(self):
        rules = KeyRules()
        known = {"user_data": None, "password": "", "message": "m",
                 "metadata": {"role": "web"}, "list": [{"a": "b"}],
                 "flavor": {"name": "f"}}
        for _turn in range(3):
            redact.redact(known, rules)
        self.assertTrue(self.check(rules, known))
        for change in ({"user_data": "CANARY"}, {"password": "CANARY"},
                       {"message": "password=CANARY"},
                       {"metadata": {"my_key": "CANARY"}},
                       {"metadata": {"key": "db_password",
                                     "value": "CANARY"}},
                       {"list": [{"a": "token: CANARY"}]},
                       {"list": [{"secret": "CANARY"}]},
                       {"list": [{"a": "b"}, {"_context": "CANARY"}]},
                       {"flavor": {"name": "f", "auth_token": "CANARY"}},
                       {"flavor": {"gAAAA" + "b" * 40: "CANARY"}},
                       {"flavor": ["password=CANARY"]}):
            payload = {**known, **change}
            for _turn in range(3):
                self.assertFalse(self.check(rules, payload), change)
                done = redact.redact(payload, rules)
                self.assertNotEqual([], done.redacted)
                self.assertTrue(self.check(rules, known))

    def test_a_pair_may_not_come_together_from_two_examples(self):
        rules = KeyRules()
        for below in ({"key": "role"}, {"value": "x"}, {"key": "role"}):
            self.check(rules, {"a": below})
        self.check(rules, {"a": {"key": "db_password", "value": "CANARY"}})

    def test_a_definitions_own_keys_are_known(self):
        rules = KeyRules(["driver_info"])
        for value in (None, None, {"a": 1}):
            done = redact.redact({"driver_info": value}, rules)
        self.assertEqual({"driver_info": "***"}, done.payload)


class TestLearning(ShapeCase):

    def test_the_usual_takes_the_short_way_after_the_first_time(self):
        rules = KeyRules()
        self.assertFalse(self.check(rules, {"a": "x", "b": 1}))
        self.assertTrue(self.check(rules, {"a": "x", "b": 1}))
        self.assertTrue(self.check(rules, {"b": 2, "a": "y"}))
        # What is null, empty or longer once is learned at once.
        for payload in ({"a": None, "b": 1}, {"a": [], "b": 1},
                        {"a": [{"x": 1}], "b": 1}, {"a": {}, "b": 1},
                        {"a": {"y": "z"}, "b": 1.5},
                        {"a": {"y": None, "m": []}, "b": 1}):
            self.assertFalse(self.check(rules, payload), payload)
            self.assertTrue(self.check(rules, payload), payload)

    def test_users_keys_need_no_learning(self):
        rules = KeyRules()
        for number in range(3):
            payload = {"metadata": {f"tier-{number}": "web"}}
            taken = self.check(rules, payload)
        self.assertTrue(taken)

    def test_hostile_senders_do_not_grow_the_memory(self):
        rules = KeyRules()
        for number in range(400):
            redact.redact({"a": {f"name{number}": 1}}, rules)
        learner = rules.shapes._known[20, None, "a"]
        self.assertLess(len(learner.shape.form.fields["a"].fields), 80)
        self.assertTrue(self.check(rules, {"a": {"name1": 2}}))
        for number in range(6000):
            redact.redact({f"name{number}": 1, "b": 2}, rules)
        self.assertLess(len(rules.shapes._known), shape._FIELDS // 2)
        # What is known is not pushed out.
        self.assertTrue(self.check(rules, {"a": {"name1": 2}}))

    def test_a_full_memory_begins_anew_in_the_end(self):
        rules = KeyRules()
        for number in range(shape._FIELDS // 3 + shape._PATIENCE + 9):
            redact.redact({f"name{number}": 1}, rules)
        self.assertLess(len(rules.shapes._known), shape._FIELDS // 6)

    def test_a_payload_of_very_many_fields_is_walked(self):
        rules = KeyRules()
        payload = {f"a{number}": {f"b{number}": 1 for number in range(100)}
                   for number in range(100)}
        for _turn in range(2):
            self.assertFalse(self.check(rules, payload))

    def test_keys_that_the_schema_cannot_have_are_walked(self):
        rules = KeyRules()
        for key in ("a\"b", "a\\b", "a\nb", "x\x00"):
            for _turn in range(2):
                self.assertFalse(self.check(rules, {key: 1}))

    def test_a_form_of_two_needs_no_more_than_either(self):
        reader = form.Reader(KeyRules().strict, KeyRules().loose, None)
        one = reader.read({"a": 1, "b": "x"}, 20)
        other = reader.read({"a": "y"}, 20)
        both = form.merge(one, other)
        self.assertEqual({"a"}, both.always)
        self.assertEqual({int, str}, both.fields["a"].kinds)
        self.assertEqual(both, form.merge(both, one))


class TestEvents(unittest.TestCase):
    """The same event, whether its payload's shape is known or not."""

    def events(self, notification: dict, turns: int) -> list[dict]:
        made = Normaliser(Definitions.load(), "0" * 32, mint=lambda: "i")
        return [made.normalise(notification, NOW) for _turn in range(turns)]

    @SETTINGS
    @given(st.sampled_from((
        "compute.instance.update", "instance.update", "port.update.end",
        "volume.create.end", "image.update", "identity.authenticate",
        "prep_resize", "what.ever")),
        st.dictionaries(st.sampled_from((
            "tenant_id", "user_id", "instance_id", "uuid", "state", "vcpus",
            "created_at", "launched_at", "image_meta", "flavor", "port",
            "args", "initiator", "target", "id", "display_name",
            "ip_addresses", "locked", "size", "name")),
            st.one_of(SCALARS, st.sampled_from(("a" * 32, 2, 2048, True,
                                                "2026-11-22 11:58:31+00:00",
                                                "2026-11-22T11:58:31Z",
                                                "x" * 1030)),
                      st.dictionaries(st.sampled_from((
                          "id", "name", "vcpus", "project_id", "address",
                          "network_id", "base_image_ref", "ctxt")),
                          SCALARS, max_size=4),
                      st.lists(st.dictionaries(
                          st.just("address"), st.text(max_size=4)),
                          max_size=2))), st.booleans())
    def test_the_third_event_is_the_first_one_again(
            self, event_type, payload, versioned):
        if versioned:
            payload = {"nova_object.name": "N", "nova_object.version": "1",
                       WRAPPER: payload}
        first, *_rest, last = self.events(
            {"event_type": event_type, "payload": payload, "priority": "INFO",
             "timestamp": "2026-11-22 11:59:59.123456", "message_id": "m",
             "publisher_id": "a.b"}, 3)
        self.assertEqual(repr(ordered(first)), repr(ordered(last)))

    @unittest.skipUnless(SAMPLES.exists(), f"{SAMPLES} is not here")
    def test_captured_notifications_become_the_same_event_again(self):
        made = Normaliser(Definitions.load(), "0" * 32)
        found = [json.loads(line) for line in lines("wire-captured.jsonl")]
        firsts = [made.normalise(one, NOW) for one in found]
        for _turn in range(2):
            again = [made.normalise(one, NOW) for one in found]
            self.assertEqual(firsts, again)


if __name__ == "__main__":
    unittest.main()
