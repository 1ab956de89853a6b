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


"""Notification methods and their signing keys."""

import base64
import hashlib
import hmac
import unittest

from oslo_config import cfg

from monasca_events_common.catalog import methods
from monasca_events_common.catalog import signing
from monasca_events_common.catalog import targets
from monasca_events_common.errors import Rejected



def check(prefixes=("derived.", "monasca-events."), **content):
    conf = cfg.ConfigOpts()
    conf.register_opts(targets.OPTS, group=targets.GROUP)
    conf([])
    return methods.check({"name": "n", **content}, conf.webhook, prefixes)


class TestMethods(unittest.TestCase):

    def test_each_type_takes_what_it_needs(self):
        for content, address, settings in (
                ({"type": "webhook", "address": "https://example.org/a"},
                 "https://example.org/a", {}),
                ({"type": "email", "address": "o.p+s@example.org",
                  "settings": {"subject_prefix": "[events] "}},
                 "o.p+s@example.org", {"subject_prefix": "[events] "}),
                ({"type": "log"}, "", {}),
                ({"type": "event", "settings": {"event_type": "derived.b"}},
                 "", {"event_type": "derived.b"}),
                ({"type": "event", "settings": {
                    "event_type_prefix": "derived"}}, "",
                 {"event_type_prefix": "derived"}),
                ({"type": "event"}, "", {}),
                ({"type": "monasca-notification"}, "", {}),
                ({"type": "metric", "settings": {
                    "name": "vm.failed", "dimensions": {"a": "b"}}}, "",
                 {"name": "vm.failed", "dimensions": {"a": "b"}})):
            with self.subTest(type=content["type"]):
                self.assertEqual(
                    {"name": "n", "type": content["type"],
                     "address": address, "settings": settings},
                    check(**content))
        self.assertEqual(set(methods.TYPES), set(methods.SETTINGS))

    def test_what_is_wrong_is_named_by_its_path(self):
        for where, content in (
                ("method", {}),
                ("method.type", {"type": "sms"}),
                ("method", {"type": "webhook"}),
                ("method.address", {"type": "webhook",
                                    "address": "https://10.0.0.1/"}),
                ("method.settings", {"type": "webhook",
                                     "address": "https://example.org",
                                     "settings": {"headers": {}}}),
                ("method.address", {"type": "log", "address": "x"}),
                ("method", {"type": "metric"}),
                ("method.settings.name", {"type": "metric", "settings": {
                    "name": "a b"}}),
                ("method.settings.event_type", {
                    "type": "event", "settings": {"event_type": "a b"}}),
                ("method.settings", {"type": "event", "settings": {
                    "event_type": "a", "event_type_prefix": "b"}}),
                ("method.settings.event_type", {
                    "type": "event", "settings": {"event_type":
                                                  "compute.instance.x"}}),
                ("method.settings.event_type_prefix", {
                    "type": "event", "settings": {"event_type_prefix":
                                                  "derivedx"}}),
                ("method.settings", {"type": "event", "prefixes": ["own."]}),
                ("method.settings", {"type": "event", "prefixes": []}),
                ("method.settings.subject_prefix", {
                    "type": "email", "address": "a@example.org",
                    "settings": {"subject_prefix": "a\r\nBcc: x"}})):
            with self.subTest(where=where, content=content):
                with self.assertRaises(Rejected) as caught:
                    check(**content)
                self.assertEqual(where, caught.exception.where)

    def test_the_types_that_are_allowed_are_told(self):
        """S12: a derived event passes for no service's."""
        with self.assertRaises(Rejected) as caught:
            check(type="event", settings={"event_type": "identity.x"})
        self.assertEqual(
            "method.settings.event_type makes events of the type "
            "'identity.x'; expected a type that begins with derived. or "
            "monasca-events.", str(caught.exception))

    def test_a_mail_address_is_one_plain_mailbox(self):
        """S8: nothing of it can begin a header."""
        for address in ("", "a", "@b.org", "a@", "a@b", "a@b.org,c@d.org",
                        "A <a@b.org>", "a@b.org\r\nBcc: c@d.org", "a@b@c.org",
                        "a@[127.0.0.1]", "a@127.0.0.1", '"a b"@c.org',
                        "\u00e4@b.org", f"{'a' * 65}@b.org", "a@-b.org"):
            with self.subTest(address=address):
                with self.assertRaises(Rejected):
                    check(type="email", address=address)

    def test_the_type_of_a_derived_event_is_named_or_made(self):
        self.assertEqual("a.b", methods.derived_type(
            {"event_type": "a.b"}, "fired"))
        self.assertEqual("mine.missed", methods.derived_type(
            {"event_type_prefix": "mine"}, "missed"))
        self.assertEqual("monasca-events.trigger.fired",
                         methods.derived_type({}, "fired"))


class TestSigning(unittest.TestCase):

    def test_a_key_is_what_standard_webhooks_says(self):
        key = signing.make_key()
        self.assertTrue(key.text.startswith("whsec_"))
        self.assertEqual(32, len(base64.b64decode(key.text[6:])))
        self.assertNotEqual(key, signing.make_key())

    def test_a_receiver_that_knows_one_key_finds_its_signature(self):
        """S8: computed here as the specification says, not by our code."""
        keys = (signing.make_key(), signing.make_key())
        found = signing.sign(keys, "msg_1", 1700000000, b'{"a":1}').split()
        for key, one in zip(keys, found, strict=True):
            digest = hmac.new(base64.b64decode(key.text[6:]),
                              b'msg_1.1700000000.{"a":1}', hashlib.sha256)
            self.assertEqual(
                "v1," + base64.b64encode(digest.digest()).decode(), one)

    def test_a_replaced_key_stays_for_as_long_as_it_was_asked(self):
        first, second, third = (signing.make_key() for _ in range(3))
        keys = signing.rotate((first,), second, 1000.0, 60.0)
        self.assertEqual([second.text, first.text], [
            one.text for one in signing.live_keys(keys, 1059.0)])
        self.assertEqual((second,), signing.live_keys(keys, 1060.0))
        keys = signing.rotate(keys, third, 1010.0, 3600.0)
        self.assertEqual([third.text, second.text],
                         [one.text for one in keys])
        self.assertEqual((third,), signing.rotate(keys, third, 1010.0, 0))

    def test_a_key_that_is_ending_is_not_prolonged(self):
        ending = signing.Key("whsec_AA==", 50.0)
        _, old = signing.rotate((ending,), signing.make_key(), 10.0, 3600.0)
        self.assertEqual(50.0, old.until)

    def test_keys_come_back_as_they_were_kept(self):
        keys = (signing.make_key(), signing.Key("whsec_AA==", 5.5))
        self.assertEqual(keys, signing.load_keys(signing.dump_keys(keys)))
