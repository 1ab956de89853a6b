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

"""The forms in which events go out; S15."""

import csv
import io
import unittest

import orjson

from monasca_events_api import forms
from monasca_events_api.inputs import cloudevents

EVENT = {"event_id": "i", "project_id": "p", "event_type": "x",
         "timestamp": "t", "received_at": "r", "publisher_id": None,
         "priority": "INFO", "source": "api", "resource_type": None,
         "resource_id": None, "user_id": None, "domain_id": None,
         "request_id": None, "global_request_id": None, "traits": {},
         "dimensions": {}, "payload": {}, "marks": {}}


def event(**fields):
    return orjson.dumps({**EVENT, **fields})


def row(**fields):
    text = forms.as_csv([event(**fields)]).decode()
    return next(csv.DictReader(io.StringIO(text, newline="")))


class FormsTest(unittest.TestCase):

    def test_json_joins_what_the_store_gave(self):
        strange = b'{"a":   1}'
        found = forms.as_json([strange, event()], [{"rel": "self"}])
        self.assertIn(strange, found)
        self.assertEqual([{"rel": "self"}], orjson.loads(found)["links"])
        self.assertEqual({"events": [], "links": []},
                         orjson.loads(forms.as_json([], [])))

    def test_ndjson_is_one_line_an_event(self):
        found = forms.as_ndjson([event(payload={"a": "b\nc"}), event()])
        self.assertEqual(2, len(found.splitlines()))

    def test_csv_has_every_field(self):
        found = row(payload={"a": [1, "x"]}, traits={"size": 5})
        self.assertEqual(set(EVENT), set(found))
        self.assertEqual('{"a":[1,"x"]}', found["payload"])
        self.assertEqual("", found["resource_id"])

    def test_csv_disarms_formulas(self):
        for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1"):
            with self.subTest(text=text):
                self.assertEqual("'", row(publisher_id=text)[
                    "publisher_id"][0])

    def test_csv_shows_control_characters_instead_of_sending_them(self):
        found = forms.as_csv([event(
            publisher_id="a\x1b[31m\n\x00\x7f\x9b\u202e\u2028b")]).decode()
        self.assertIn("a\\u001b[31m\\u000a\\u0000\\u007f\\u009b\\u202e"
                      "\\u2028b", found)
        self.assertEqual(2, found.count("\r\n"))

    def test_cloudevents_come_back_as_they_went(self):
        given = orjson.loads(cloudevents.of_event(event(
            publisher_id="/shop", resource_id="r1", payload={"a": 1},
            timestamp="2026-11-22T12:00:00.000000Z")))
        again = cloudevents.fields(given)
        self.assertEqual(("x", "/shop", "r1", {"a": 1}, "p"), tuple(
            again[name] for name in ("event_type", "publisher_id",
                                     "resource_id", "payload",
                                     "project_id")))
