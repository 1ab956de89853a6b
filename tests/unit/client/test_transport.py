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

"""Requests through good and bad weather: who is asked, and how often."""

import datetime
import json
import unittest
import uuid

from keystoneauth1 import session as sessions
from keystoneauth1 import token_endpoint

from monasca_events_client import Client
from monasca_events_client import Retries
from monasca_events_client import errors
from monasca_events_client import transport
from tests.functional import service
from tests.integration.sites import free_port
from tests.unit.client.site import SiteTest
from tests.unit.client.site import Sleep
from tests.unit.client.site import cut
from tests.unit.client.site import fair
from tests.unit.client.site import refuse

BUSY = refuse("503 Service Unavailable")
LIMITED = refuse("429 Too Many Requests", b"", ("Retry-After", "7"))


class TransportTest(SiteTest):

    # -- trying again

    def test_a_busy_service_is_asked_again(self):
        self.site.expect(BUSY, BUSY)
        self.assertEqual([], list(self.client.events.list(resource_id="no")))
        self.assertEqual(3, len(self.site.requests))

    def test_each_pause_is_longer_and_no_two_are_alike(self):
        self.site.expect(BUSY, BUSY, BUSY)
        list(self.client.events.list(resource_id="no"))
        one, two, three = self.sleep.waited
        self.assertTrue(0.25 <= one <= 0.5 <= two <= 1 <= three <= 2,
                        self.sleep.waited)

    def test_what_the_service_asks_for_is_waited_at_least(self):
        self.site.expect(LIMITED)
        list(self.client.events.list(resource_id="no"))
        waited, = self.sleep.waited
        self.assertTrue(7 <= waited <= 7.5, waited)

    def test_after_so_many_tries_it_is_an_error(self):
        self.site.expect(*[BUSY] * 9)
        with self.assertRaises(errors.ServiceUnavailable) as caught:
            list(self.client.events.list())
        self.assertEqual(4, len(self.site.requests))
        self.assertEqual(503, caught.exception.status)

    def test_one_who_asks_for_more_than_there_is_time_for_is_not_waited_for(
            self):
        self.site.expect(refuse("503 Service Unavailable", b"",
                                ("Retry-After", "3600")))
        with self.assertRaises(errors.ServiceUnavailable) as caught:
            list(self.client.events.list())
        self.assertEqual([], self.sleep.waited)
        self.assertEqual(3600, caught.exception.retry_after)

    def test_a_date_to_come_again_is_understood(self):
        later = datetime.datetime.now(
            datetime.timezone.utc) + datetime.timedelta(seconds=20)
        self.site.expect(refuse("503 Service Unavailable", b"", (
            "Retry-After", later.strftime("%a, %d %b %Y %H:%M:%S GMT"))))
        list(self.client.events.list(resource_id="no"))
        waited, = self.sleep.waited
        self.assertTrue(10 < waited <= 20.5, waited)

    def test_a_broken_answer_to_a_read_is_read_again(self):
        self.site.expect(cut)
        self.assertEqual([], list(self.client.events.list(resource_id="no")))
        self.assertEqual(2, len(self.site.requests))

    def test_events_whose_answer_was_lost_are_stored_once(self):
        """D20"""
        word = uuid.uuid4().hex
        self.site.expect(fair, cut)  # limits are asked for first
        posted = self.client.events.post([
            {"event_type": "a.b", "resource_id": word}])
        self.assertEqual(["POST /v1.0/events"] * 2, self.site.requests[1:])
        found = self.stored(1, resource_id=word)
        self.assertEqual(posted.event_ids, [one["event_id"] for one in found])

    def test_what_must_not_be_done_twice_is_not_tried_again(self):
        self.site.expect(cut)
        with self.assertRaises(errors.Unreachable):
            self.client.notification_methods.create({
                "name": "n", "type": "event",
                "settings": {"event_type": "derived.x"}})
        self.assertEqual(1, len(self.site.requests))
        self.client.notification_methods.delete(
            self.client.notification_methods.find("n")["id"])

    def test_a_deletion_whose_answer_was_lost_is_done(self):
        made = self.client.notification_methods.create({
            "name": "d", "type": "event",
            "settings": {"event_type": "derived.x"}})
        # Of 204 there is no body that could be cut: another one answers.
        self.site.expect(_done_and_lost)
        self.client.notification_methods.delete(made["id"])
        self.assertEqual(2, len(self.site.requests))
        with self.assertRaises(errors.NotFound):
            self.client.notification_methods.delete(made["id"])

    def test_nobody_there_is_unreachable_after_all_tries(self):
        sleep = Sleep()
        client = Client(sessions.Session(auth=token_endpoint.Token(
            f"http://127.0.0.1:{free_port()}", "t")), sleep=sleep,
            retries=Retries(2))
        with self.assertRaises(errors.Unreachable):
            client.events.get("x")
        self.assertEqual(2, len(sleep.waited))

    # -- what is said

    def test_an_error_tells_code_place_and_request_id(self):
        with self.assertRaises(errors.BadRequest) as caught:
            list(self.client.events.list(priority_="x"))
        error = caught.exception
        self.assertEqual("unknown_parameter", error.code)
        self.assertEqual(400, error.status)
        self.assertRegex(error.request_id, "^req-")
        self.assertIn("priority_", error.message)
        self.assertEqual(error.message, str(error))

    def test_each_status_is_a_type(self):
        for status, kind in ((400, errors.BadRequest),
                             (401, errors.Unauthorized),
                             (403, errors.Forbidden),
                             (404, errors.NotFound),
                             (405, errors.MethodNotAllowed),
                             (406, errors.NotAcceptable),
                             (409, errors.Conflict),
                             (412, errors.PreconditionFailed),
                             (413, errors.TooLarge),
                             (415, errors.UnsupportedMediaType),
                             (422, errors.Unprocessable),
                             (418, errors.ApiError),
                             (500, errors.ServerError),
                             (502, errors.ServerError)):
            with self.subTest(status=status):
                self.site.expect(refuse(f"{status} X", b"<html>no</html>", (
                    "Content-Type", "text/html")))
                with self.assertRaises(errors.ApiError) as caught:
                    self.client.events.get("x")
                self.assertIs(kind, type(caught.exception))
                self.assertEqual(status, caught.exception.status)
                self.assertIn(str(status), caught.exception.message)
                self.assertNotIn("html", caught.exception.message)

    def test_a_proxy_s_plain_words_are_kept(self):
        self.site.expect(refuse("502 Bad Gateway", b"no backend\nis up",
                                ("Content-Type", "text/plain")))
        with self.assertRaises(errors.ServerError) as caught:
            self.client.events.get("x")
        self.assertEqual("502 Bad Gateway: no backend is up",
                         caught.exception.message)

    def test_another_service_s_page_is_no_answer(self):
        self.site.expect(refuse("200 OK", b"<html>", (
            "Content-Type", "text/html")))
        with self.assertRaises(errors.ServerError) as caught:
            self.client.events.get("x")
        self.assertEqual("not_json", caught.exception.code)
        self.assertIn(self.site.url, caught.exception.message)

    def test_who_is_not_known_is_told_so(self):
        client = Client(sessions.Session(auth=token_endpoint.Token(
            self.site.url, "wrong")))
        with self.assertRaises(errors.Unauthorized):
            client.events.get("x")

    def test_health_is_told_when_it_is_bad_too(self):
        self.assertTrue(self.client.health()["healthy"])
        body = json.dumps({"healthy": False, "parts": {
            "bus": {"ok": False, "detail": "full"}}}).encode()
        self.site.expect(refuse("503 Service Unavailable", body,
                                ("Content-Type", "application/json")))
        self.assertEqual("full",
                         self.client.health()["parts"]["bus"]["detail"])
        self.assertEqual([], self.sleep.waited)
        self.site.expect(BUSY)
        with self.assertRaises(errors.ServiceUnavailable):
            self.client.health()

    # -- where, and as whom

    def test_the_endpoint_may_have_a_version_or_not(self):
        for tail in ("", "/", "/v1.0", "/v1.0/", "/v1"):
            with self.subTest(tail=tail):
                client = self.site.client(
                    endpoint_override=self.site.url + tail)
                self.assertEqual(self.site.url, client.endpoint)
                self.assertEqual("v1.0", client.version()["id"])

    def test_a_global_request_id_goes_along(self):
        given = f"req-{uuid.uuid4()}"
        self.site.client(global_request_id=given).events.types()
        self.assertEqual(given,
                         self.site.headers["HTTP_X_OPENSTACK_REQUEST_ID"])

    def test_it_says_who_it_is(self):
        self.client.events.types()
        self.assertIn("monasca-events-client",
                      self.site.headers["HTTP_USER_AGENT"])


def _done_and_lost(application, environ, start_response):
    list(application(environ, lambda *_: None))
    start_response("200 OK", [("Content-Length", "9")])
    return [b"x"]


class DumpTest(unittest.TestCase):

    def test_what_has_no_json_is_refused_before_it_is_sent(self):
        for wrong in (float("nan"), {1, 2}, "\ud800"):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                transport.dump({"a": wrong})

    def test_a_part_of_a_path_stays_one(self):
        self.assertEqual("a%2F..%3Fb", transport.quote("a/..?b"))
        for wrong in ("", ".", ".."):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                transport.quote(wrong)


class PersonasTest(SiteTest):

    def test_a_reader_may_not_post(self):
        with self.assertRaises(errors.Forbidden):
            self.site.client("READER").events.post([{"event_type": "a"}])

    def test_a_delegate_posts_for_others(self):
        posted = self.site.client("SERVICE").events.post(
            [{"event_type": "a.b", "event_id": "1"}],
            project_id=service.PROJECT)
        self.assertEqual(1, posted.accepted)
        self.stored(1, event_id=posted.event_ids)
