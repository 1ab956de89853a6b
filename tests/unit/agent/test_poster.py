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

import datetime
import json
import logging
import pathlib
import socket
import threading

import fixtures
from keystoneauth1 import noauth
from keystoneauth1 import session
from keystoneauth1 import token_endpoint
from keystoneauth1.identity import v3
import orjson
import testtools

from monasca_events_agent import poster
from monasca_events_agent import spool
from monasca_events_agent.endpoints import Endpoints
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import IdentityUnavailable
from monasca_events_common.errors import Unavailable
from tests.unit.agent.sink import accept
from tests.unit.agent.sink import options
from tests.unit.agent.sink import reply
from tests.unit.agent.sink import Sink

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)


def event(number, **fields):
    return orjson.dumps({"event_id": f"id-{number}", "project_id": "p",
                         "event_type": "a.b", **fields})


def dead_port():
    """Return a loopback URL where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class PosterTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        logging.disable(logging.WARNING)
        self.addCleanup(logging.disable, logging.NOTSET)
        home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.spool = spool.Spool(options(
            "spool", spool.OPTS, path=str(home / "s" / "spool.db")))
        self.addCleanup(self.spool.close)
        self.letters = DeadLetters(f"sqlite:///{home}/dead.db")
        self.addCleanup(self.letters.close)
        self.sink = Sink()
        self.addCleanup(self.sink.close)
        self.clock = 0.0

    def poster(self, auth=None, rng=None, **values):
        values.setdefault("endpoints", [self.sink.url])
        conf = options("poster", poster.OPTS, **values)
        return poster.Poster(
            conf, self.spool, Endpoints(
                conf, session.Session(auth or token_endpoint.Token(
                    self.sink.url, "secret")), clock=lambda: self.clock),
            self.letters, now=lambda: NOW, clock=lambda: self.clock, rng=rng)

    def fill(self, count, **fields):
        self.spool.append([event(number, **fields)
                           for number in range(count)])

    def drain(self, made, turns=200):
        for _turn in range(turns):
            if not self.spool.depth().rows:
                return
            made.step()
        self.fail("the spool does not become empty")

    def ids(self, *numbers):
        return [f"id-{number}" for number in numbers]


class TestPosting(PosterTest):

    def test_events_are_posted_in_order_and_leave_the_spool(self):
        """B4, B9"""
        self.fill(25)
        self.drain(self.poster(max_batch_size=10))
        self.assertEqual(self.ids(*range(25)), self.sink.accepted)
        self.assertEqual([10, 10, 5], [len(events) for _path, _headers, events
                                       in self.sink.requests])
        path, headers, _events = self.sink.requests[0]
        self.assertEqual("/v1.0/events", path)
        self.assertEqual("secret", headers["X-Auth-Token"])
        self.assertEqual("application/json", headers["Content-Type"])

    def test_a_batch_is_limited_by_its_bytes(self):
        self.fill(10, payload="x" * 500)
        self.drain(self.poster(max_batch_bytes=1200))
        self.assertEqual([2] * 5, [len(events) for _path, _headers, events
                                   in self.sink.requests])

    def test_a_compressed_body_holds_the_same_events(self):
        """M7"""
        self.fill(3)
        self.drain(self.poster(compress=True))
        self.assertEqual(self.ids(0, 1, 2), self.sink.accepted)
        self.assertEqual("gzip", self.sink.requests[0][1]["Content-Encoding"])

    def test_an_api_that_takes_no_gzip_gets_none(self):
        self.fill(3)
        self.sink.answer = lambda events: reply(415, {}) if not len(
            self.sink.requests) else accept(events)
        self.drain(self.poster(compress=True))
        self.assertEqual(self.ids(0, 1, 2), self.sink.accepted)

    def test_without_authentication_it_posts_to_the_named_endpoint(self):
        self.fill(1)
        self.drain(self.poster(auth=noauth.NoAuth()))
        self.assertEqual(self.ids(0), self.sink.accepted)

    def test_an_endpoint_with_its_version_is_understood(self):
        self.fill(1)
        self.drain(self.poster(endpoints=[self.sink.url + "/v1.0/"]))
        self.assertEqual("/v1.0/events", self.sink.requests[0][0])


class TestRefusals(PosterTest):

    def test_what_the_api_rejects_goes_to_the_dead_letters_in_its_words(self):
        """F12"""
        self.fill(3)
        self.sink.answer = lambda events: reply(202, {
            "accepted": 2, "rejected": [{"index": 1, "code": "too_old",
                                         "message": "too old"}]})
        self.drain(self.poster())
        letter, = self.letters.list(stage="poster")
        self.assertEqual(("too_old", "too old", "event/id-1", "p"),
                         (letter.code, letter.reason, letter.position,
                          letter.project_id))
        self.assertEqual(event(1), letter.raw)
        self.assertEqual(self.ids(0, 2), self.sink.accepted)

    def test_a_refused_batch_is_cut_until_the_culprit_is_alone(self):
        def answer(events):
            if any(one["event_id"] == "id-13" for one in events):
                return reply(400, {"message": "bad", "errors": [
                    {"code": "invalid_event"}]})
            return accept(events)
        self.fill(40)
        self.sink.answer = answer
        self.drain(self.poster())
        letter, = self.letters.list()
        self.assertEqual(("invalid_event", "event/id-13"),
                         (letter.code, letter.position))
        self.assertEqual(self.ids(*(number for number in range(40)
                                    if number != 13)), self.sink.accepted)

    def test_a_refusal_that_names_every_event_needs_no_cutting(self):
        self.fill(3)
        self.sink.answer = lambda events: reply(422, {
            "message": "bad", "rejected": [
                {"index": number, "code": "no", "message": "m"}
                for number in range(len(events))]})
        self.drain(self.poster())
        self.assertEqual(1, len(self.sink.requests))
        self.assertEqual(3, len(self.letters.list(code="no")))

    def test_413_makes_smaller_batches_and_buries_what_is_too_large_alone(
            self):
        def answer(events):
            if len(json.dumps(events)) > 40000:
                return reply(413, {"message": "too large"})
            return accept(events)
        self.fill(30, payload="x" * 3000)
        self.spool.append([event(30, payload="x" * 50000)])
        self.sink.answer = answer
        made = self.poster()
        self.drain(made)
        self.assertEqual(self.ids(*range(30)), self.sink.accepted)
        letter, = self.letters.list()
        self.assertEqual("event/id-30", letter.position)
        self.sink.requests.clear()
        self.fill(30, payload="x" * 3000)
        self.drain(made)
        self.assertTrue(len(self.sink.requests) > 1)
        self.assertEqual(60, len(self.sink.accepted))

    def test_an_event_whose_bytes_changed_on_disk_is_buried_not_posted(self):
        """F17"""
        self.fill(3)
        self.spool._file.writer.execute(
            "UPDATE events SET body = x'7b7d' WHERE id = "
            "(SELECT min(id) + 1 FROM events)")
        self.drain(self.poster())
        self.assertEqual(self.ids(0, 2), self.sink.accepted)
        self.assertEqual("spool_corrupt", self.letters.list()[0].code)

    def test_when_nearly_everything_is_rejected_it_stands_still(self):
        """R3, F13"""
        self.fill(1500)
        self.sink.answer = lambda events: reply(202, {
            "accepted": 0, "rejected": [
                {"index": number, "code": "no", "message": "m"}
                for number in range(len(events))]})
        made = self.poster(max_batch_size=500)
        made.step()
        error = self.assertRaises(Unavailable, made.step)
        self.assertEqual("breaker_tripped", error.code)
        self.assertRaises(Unavailable, made.step)
        self.assertEqual(1000, self.spool.depth().rows)
        self.assertEqual(2, len(self.sink.requests))
        self.letters.resume("poster")
        self.sink.answer = accept
        self.drain(made)
        self.assertEqual(1000, sum(self.letters.count().values()))
        self.assertEqual(500, len(self.sink.accepted))


class TestHolding(PosterTest):
    """F11: whatever may pass in time is waited for."""

    def holds(self, answer, code):
        self.fill(2)
        self.sink.answer = answer
        made = self.poster()
        error = self.assertRaises(Unavailable, made.step)
        self.assertEqual(code, error.code)
        self.assertEqual(2, self.spool.depth().rows)
        self.assertEqual([], self.letters.list())
        self.sink.answer = accept
        self.sink.accepted.clear()
        self.drain(made)
        self.assertEqual(self.ids(0, 1), self.sink.accepted)
        return error

    def test_503_is_obeyed(self):
        error = self.holds(lambda _events: reply(
            503, {}, Retry_After="7"), "api_503")
        self.assertEqual(7.0, error.retry_after)

    def test_a_date_in_retry_after_is_understood(self):
        error = self.holds(lambda _events: reply(
            503, {}, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), "api_503")
        self.assertEqual(0.0, error.retry_after)

    def test_429_is_obeyed(self):
        error = self.holds(lambda _events: reply(
            429, {"message": "slow down"}, Retry_After="3"), "api_429")
        self.assertEqual(3.0, error.retry_after)

    def test_a_missing_role_buries_nothing(self):
        """Mistake of the old agent: a forbidden batch was dropped."""
        self.holds(lambda _events: reply(403, {"message": "no"}), "api_403")

    def test_a_wrong_address_buries_nothing(self):
        self.holds(lambda _events: reply(404, {"message": "no"}), "api_404")

    def test_a_page_of_a_proxy_is_no_acceptance(self):
        self.holds(lambda _events: (200, {}, b"<html>Welcome</html>"),
                   "api_answer")

    def test_an_answer_that_leaves_out_an_event_is_no_acceptance(self):
        self.holds(lambda _events: reply(202, {"accepted": 1,
                                               "rejected": []}),
                   "api_answer")

    def test_a_redirect_is_no_acceptance(self):
        self.holds(lambda _events: reply(302, {}, Location="/elsewhere"),
                   "api_302")

    def test_nobody_listening_is_waited_for(self):
        self.fill(1)
        made = self.poster(endpoints=[dead_port()])
        self.assertEqual("api_down",
                         self.assertRaises(Unavailable, made.step).code)
        self.assertEqual(1, self.spool.depth().rows)

    def test_an_answer_that_never_comes_is_waited_for(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.fill(1)
        self.sink.answer = lambda events: (gate.wait(5), accept(events))[1]
        made = self.poster(write_timeout=0.2)
        self.assertEqual("api_down",
                         self.assertRaises(Unavailable, made.step).code)

    def test_an_identity_service_that_is_down_costs_one_request_a_second(
            self):
        """F14"""
        self.fill(1)
        made = self.poster(auth=v3.Password(
            dead_port() + "/v3", username="u", password="p",
            user_domain_id="default", project_id="p"))
        error = self.assertRaises(IdentityUnavailable, made.step)
        self.assertTrue(error.retry_after >= 1.0)
        self.assertEqual([], self.sink.requests)

    def test_a_disk_that_fails_after_the_post_does_not_post_again(self):
        """F16"""
        self.fill(2)
        made = self.poster()
        self.spool._file.reader.execute("PRAGMA query_only=1")
        self.assertRaises(Unavailable, made.step)
        self.spool._file.reader.execute("PRAGMA query_only=0")
        self.drain(made)
        self.assertEqual(1, len(self.sink.requests))

    def test_a_rejected_token_is_replaced_once(self):
        self.fill(1)
        tokens = iter(["old", "new"])

        class Changing(token_endpoint.Token):
            def get_headers(self, session):
                self.token = self.token or next(tokens)
                return {"X-Auth-Token": self.token}

            def invalidate(self):
                self.token = None
                return True
        auth = Changing(self.sink.url, None)
        self.sink.answer = lambda events: reply(401, {}) if not \
            self.sink.requests else accept(events)
        self.drain(self.poster(auth=auth))
        self.assertEqual(["old", "new"], [
            headers["X-Auth-Token"]
            for _path, headers, _events in self.sink.requests])


class TestFailOver(PosterTest):

    def test_another_endpoint_takes_over_and_is_kept(self):
        """M13, M15"""
        other = Sink()
        self.addCleanup(other.close)
        made = self.poster(endpoints=[self.sink.url, other.url],
                           max_batch_size=1)
        self.fill(1)
        made.step()
        self.sink.answer = lambda _events: reply(503, {})
        self.fill(2)
        made.step()
        self.sink.answer = accept
        made.step()
        self.assertEqual(2, len(self.sink.requests))
        self.assertEqual(2, len(other.accepted))

    def test_an_endpoint_that_failed_is_tried_again_after_a_while(self):
        other = Sink()
        self.addCleanup(other.close)
        made = self.poster(endpoints=[self.sink.url, other.url],
                           max_batch_size=1, endpoint_retry=60)
        self.sink.answer = lambda _events: reply(500, {})
        self.fill(3)
        made.step()
        self.sink.answer = accept
        other.answer = lambda _events: reply(500, {})
        made.step()
        self.assertEqual((1, 1), (len(self.sink.accepted),
                                  len(other.accepted)))

    def test_when_all_fail_the_batch_stays(self):
        self.sink.answer = lambda _events: reply(503, {}, Retry_After="4")
        made = self.poster(endpoints=[dead_port(), self.sink.url])
        self.fill(1)
        error = self.assertRaises(Unavailable, made.step)
        self.assertEqual(4.0, error.retry_after)
        self.assertEqual(1, self.spool.depth().rows)


class TestRunning(PosterTest):

    def test_it_posts_what_comes_and_ends_when_told(self):
        stop = threading.Event()
        made = self.poster(backoff_base=0.01, max_wait=0.01)
        taken = threading.Event()

        def answer(events):
            if len(self.sink.requests) == 0:
                return reply(503, {})
            if any(one["event_id"] == "id-4" for one in events):
                taken.set()
            return accept(events)
        self.sink.answer = answer
        thread = threading.Thread(target=made.run, args=(stop,))
        thread.start()
        self.fill(5)
        self.assertTrue(taken.wait(60))
        stop.set()
        thread.join(60)
        self.assertFalse(thread.is_alive())
        self.assertEqual(self.ids(*range(5)), self.sink.accepted)
