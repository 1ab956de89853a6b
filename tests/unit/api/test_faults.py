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

"""The fault table and the form of errors."""

import inspect
import unittest

import orjson

from monasca_events_api import faults
from monasca_events_common import errors


class FaultsTest(unittest.TestCase):

    def test_every_error_of_ours_but_the_operators_has_a_status(self):
        for _, cls in inspect.getmembers(errors, inspect.isclass):
            if cls in (errors.EventsError, errors.Misconfigured):
                continue
            with self.subTest(cls=cls.__name__):
                self.assertNotEqual(500, faults.status_of(cls("x")))

    def test_statuses(self):
        for error, status in (
                (errors.Rejected("x"), 400), (errors.TooLarge("x"), 413),
                (errors.Rejected("x", code="no_events"), 422),
                (errors.Rejected("x", code="unsupported_media_type"), 415),
                (errors.NotFound("x"), 404), (errors.Conflict("x"), 409),
                (errors.Forbidden("x"), 403),
                (errors.BusUnavailable("x"), 503),
                (errors.StoreUnavailable("x"), 503),
                (errors.IdentityUnavailable("x"), 503)):
            self.assertEqual(status, faults.of_error(error).status)

    def test_time_says_when_to_come_again(self):
        fault = faults.of_error(errors.BusUnavailable("x", retry_after=2.1))
        self.assertEqual((("Retry-After", "3"),), fault.headers)
        fault = faults.of_error(errors.BusUnavailable("x", retry_after=0))
        self.assertEqual((("Retry-After", "1"),), fault.headers)

    def test_the_body_has_one_form(self):
        found = orjson.loads(faults.of_error(
            errors.NotFound("no such thing")).body("req-1"))
        self.assertEqual({"message": "no such thing", "errors": [
            {"code": "not_found", "status": 404, "title": "Not Found",
             "detail": "no such thing", "request_id": "req-1"}]}, found)

    def test_a_bug_goes_to_the_log_and_not_to_the_client(self):
        with self.assertLogs("monasca_events_api.faults", "ERROR") as logged:
            fault = faults.of_error(KeyError("secret"))
        self.assertEqual(500, fault.status)
        self.assertNotIn("secret", fault.detail)
        self.assertIn("secret", logged.output[0])

    def test_others_answers_keep_what_means_something(self):
        fault = faults.of_foreign(401, [("WWW-Authenticate", "K"),
                                        ("Content-Type", "text/html"),
                                        ("Set-Cookie", "a")])
        self.assertEqual((("WWW-Authenticate", "K"),), fault.headers)
        self.assertEqual(418, faults.of_foreign(418, []).status)
