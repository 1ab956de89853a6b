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


"""The old form: messages of the retired API become records of ours."""

import unittest

import orjson

from monasca_events_common import event as events
from monasca_events_common import old_form
from monasca_events_common.bus import Delivery
from monasca_events_common.bus import SCHEMA
from monasca_events_common.errors import Rejected
from tests.unit.common.test_event import PROJECT


def old(body=None, *, offset: int = 4, **meta) -> Delivery:
    """Return a record as the retired API publishes it."""
    message = {"event": body or {"event_type": "a.b", "payload": {"x": 1}},
               "creation_time": 1700000000,
               "meta": meta or {"project_id": PROJECT}}
    # Its key is a time in milliseconds, which says nothing.
    return Delivery(b"1700000000123", orjson.dumps(message), {}, 3, offset)


class TestOldForm(unittest.TestCase):

    def event(self, delivery: Delivery) -> dict:
        return orjson.loads(old_form.ours(delivery).value)

    def test_a_message_of_the_old_api_becomes_a_record_of_ours(self):
        made = old_form.ours(old(
            {"event_type": "compute.instance.create.end", "priority": "info",
             "publisher_id": "compute.host", "message_id": "m",
             "timestamp": "2017-06-01 09:15:11.494606",
             "dimensions": {"service": "compute"},
             "payload": {"nova_object.data": {"uuid": "u"}}}))
        event = orjson.loads(made.value)
        self.assertEqual(events.FIELDS, tuple(event))
        self.assertEqual("2017-06-01T09:15:11.494606Z", event["timestamp"])
        self.assertEqual({"nova_object.data": {"uuid": "u"}},
                         event["payload"])
        self.assertEqual(
            ("INFO", "compute.host", {"service": "compute"}, "api"),
            (event["priority"], event["publisher_id"], event["dimensions"],
             event["source"]))
        self.assertEqual(events.event_id(PROJECT, "m"), event["event_id"])
        self.assertEqual((PROJECT.encode(), 3, 4),
                         (made.key, made.partition, made.offset))
        self.assertEqual(
            (event["event_id"].encode(), b"compute.instance.create.end",
             SCHEMA), (made.headers["event_id"], made.headers["event_type"],
                       made.headers["schema"]))

    def test_without_a_time_of_its_own_it_is_that_of_the_api(self):
        event = self.event(old())
        self.assertEqual("2023-11-14T22:13:20.000000Z", event["timestamp"])
        self.assertEqual(event["timestamp"], event["received_at"])

    def test_a_payload_that_is_no_object_is_kept_in_one(self):
        self.assertEqual({"value": [1]}, self.event(old(
            {"event_type": "a", "payload": [1]}))["payload"])
        self.assertEqual({}, self.event(old({"event_type": "a"}))["payload"])

    def test_a_redelivery_is_a_repeat_and_an_equal_message_is_not(self):
        first, again = self.event(old()), self.event(old())
        other = self.event(old(offset=5))
        self.assertEqual(first["event_id"], again["event_id"])
        self.assertNotEqual(first["event_id"], other["event_id"])

    def test_what_is_of_no_known_form_is_rejected(self):
        bare = old()
        for delivery, code in (
                (bare._replace(value=b"\xff"), "not_json"),
                (bare._replace(value=b"[]"), "not_json"),
                (bare._replace(value=b"{}"), "invalid_record"),
                (bare._replace(value=b'{"event":{},"meta":{}}'),
                 "invalid_record"),
                (old(tenant="x"), "invalid_record"),
                (old({"event_type": "a", "timestamp": "noon"}),
                 "invalid_timestamp"),
                (bare._replace(headers={"schema": b"9"}),
                 "unsupported_version")):
            with self.subTest(value=delivery.value), \
                    self.assertRaises(Rejected) as caught:
                old_form.ours(delivery)
            self.assertEqual(code, caught.exception.code)
