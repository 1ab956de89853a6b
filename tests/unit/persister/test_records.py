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

"""From a bus record to a document: passed through, revalidated, old form."""

import unittest

import orjson

from monasca_events_common import event as events
from monasca_events_common.bus import Delivery
from monasca_events_common.errors import Rejected
from monasca_events_persister import records
from tests.unit.common.test_event import complete
from tests.unit.common.test_event import PROJECT


def delivery(record, **changed) -> Delivery:
    values = {"key": record.key, "value": record.value,
              "headers": record.headers, "partition": 1, "offset": 2}
    return Delivery(**{**values, **changed})


def old(body=None, **meta) -> Delivery:
    message = {"event": body or {"event_type": "a.b", "payload": {"x": 1}},
               "creation_time": 1700000000,
               "meta": meta or {"project_id": PROJECT}}
    return Delivery(PROJECT.encode(), orjson.dumps(message), {}, 3, 4)


class TestOurs(unittest.TestCase):

    def setUp(self):
        self.record = events.record(complete())

    def test_a_record_passes_byte_for_byte(self):
        document = records.document(delivery(self.record))
        self.assertEqual(self.record.value, document.value)
        self.assertEqual(self.record.headers["index"], document.index)
        self.assertEqual(PROJECT, document.project_id)

    def test_a_forged_record_cannot_enter_another_tenants_index(self):
        # S19: whoever can write to the topic can set the key.
        for changed in ({"key": b"b" * 32},
                        {"value": self.record.value + b'\n{"create":{}}'},
                        {"value": b"{}"},
                        {"headers": {**self.record.headers,
                                     "event_id": b"other"}},
                        {"headers": {**self.record.headers,
                                     "index": b'{}\n{"create":{}}'}}):
            with self.subTest(changed=changed), \
                    self.assertRaises(Rejected) as caught:
                records.document(delivery(self.record, **changed))
            self.assertEqual("forged_record", caught.exception.code)

    def test_an_unknown_schema_is_rejected(self):
        with self.assertRaises(Rejected) as caught:
            records.document(delivery(
                self.record, headers={**self.record.headers, "schema": b"9"}))
        self.assertEqual("unsupported_version", caught.exception.code)

    def test_a_replayed_letter_without_index_header_is_searchable(self):
        headers = dict(self.record.headers)
        del headers["index"]
        document = records.document(delivery(self.record, headers=headers))
        self.assertEqual(orjson.loads(self.record.headers["index"]).keys(),
                         orjson.loads(document.index).keys())


class TestOldForm(unittest.TestCase):

    def test_a_message_of_the_old_api_becomes_canonical(self):
        document = records.document(old(
            {"event_type": "compute.instance.create.end", "priority": "info",
             "publisher_id": "compute.host", "message_id": "m",
             "timestamp": "2017-06-01 09:15:11.494606",
             "dimensions": {"service": "compute"},
             "payload": {"nova_object.data": {"uuid": "u"}}}))
        event = orjson.loads(document.value)
        self.assertEqual(events.FIELDS, tuple(event))
        self.assertEqual("2017-06-01T09:15:11.494606Z", event["timestamp"])
        self.assertEqual({"nova_object.data": {"uuid": "u"}},
                         event["payload"])
        self.assertEqual(events.event_id(PROJECT, "m"), event["event_id"])

    def test_a_redelivery_is_a_repeat_and_an_equal_message_is_not(self):
        first = old()
        self.assertEqual(records.document(first).event_id,
                         records.document(old()).event_id)
        other = Delivery(first.key, first.value, {}, 3, 5)
        self.assertNotEqual(records.document(first).event_id,
                            records.document(other).event_id)

    def test_what_is_neither_form_is_rejected(self):
        for value, code in ((b"\xff", "not_json"), (b"[]", "not_json"),
                            (b"{}", "invalid_record"),
                            (b'{"event":{},"meta":{}}', "invalid_record")):
            with self.subTest(value=value), \
                    self.assertRaises(Rejected) as caught:
                records.document(Delivery(b"", value, {}, 0, 0))
            self.assertEqual(code, caught.exception.code)
