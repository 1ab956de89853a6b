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
from tests.unit.common.test_old_form import old


def delivery(record, **changed) -> Delivery:
    values = {"key": record.key, "value": record.value,
              "headers": record.headers, "partition": 1, "offset": 2}
    return Delivery(**{**values, **changed})


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

    def test_a_message_of_the_old_api_becomes_a_canonical_document(self):
        message = old({"event_type": "a.b", "message_id": "m",
                       "payload": {"x": "word"}})
        document = records.document(message)
        self.assertEqual(
            (PROJECT, events.event_id(PROJECT, "m"), "a.b",
             "2023-11-14T22:13:20.000000Z"),
            (document.project_id, document.event_id, document.event_type,
             document.timestamp))
        self.assertEqual(events.FIELDS, tuple(orjson.loads(document.value)))
        self.assertIn("word", orjson.loads(document.index)["words"])
        self.assertEqual(document, records.document(message))

    def test_what_is_neither_form_is_rejected(self):
        with self.assertRaises(Rejected) as caught:
            records.document(Delivery(b"", b"{}", {}, 0, 0))
        self.assertEqual("invalid_record", caught.exception.code)
