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


"""Streams of events: over a socket, interrupted, slow, many; S1, S17."""

from collections.abc import Iterator
import contextlib
import json
import time
import unittest
from unittest import mock

import httpx
import webob

from monasca_events_api import server
from tests.functional import service
from tests.functional.test_server import Running
from tests.integration.daemons import wait_for

PATH = "/v1.0/events/stream"


class Reader:
    """Reads the messages of one stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._chunks = answer.iter_raw()
        self._text = ""
        self.last_id = ""
        self.beats = 0

    def message(self) -> dict | None:
        """Return the next block's fields, None at the stream's end."""
        while "\n\n" not in self._text:
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            self._text += chunk.decode()
        block, _, self._text = self._text.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        self.last_id = fields.get("id", self.last_id)
        return fields

    def events(self, count: int) -> list[dict]:
        """Return that many events, or gaps, as they come."""
        found = []
        while len(found) < count:
            fields = self.message()
            if fields is None:
                raise AssertionError(f"the stream ended after {found}")
            if "data" in fields:
                data = json.loads(fields["data"])
                if fields.get("event") == "gap":
                    data = {"gap": data}
                found.append(data)
            else:
                self.beats += 1
        return found

    def types(self, count: int) -> list[str]:
        return [one["event_type"] for one in self.events(count)]


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class StreamTest(unittest.TestCase):

    settings = {"live__heartbeat": "0.2", "live__max_streams": "4",
                "live__streams_of_project": "3", "api__threads": "2"}

    def setUp(self):
        service.set_environment()
        self.service = service.Service(pump=False, settings=self.settings)
        self.addCleanup(self.service.close)
        self.conf = self.service.parts.conf
        self.running = Running(self.service.application, self.conf,
                               self.service.parts.live.close)
        self.addCleanup(self.running.stop)
        self.client = self.running.client()
        self.addCleanup(self.client.close)

    def post(self, *types, persona="MEMBER", **fields):
        answer = self.client.post(
            "/v1.0/events", headers=service.token(persona),
            json={"events": [{"event_type": one, **fields} for one in types]})
        self.assertEqual(202, answer.status_code, answer.text)

    @contextlib.contextmanager
    def stream(self, query="", persona="READER", last_id=None
               ) -> Iterator[Reader]:
        headers = service.token(persona)
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        with self.client.stream("GET", PATH + query, headers=headers,
                                timeout=service.PATIENCE) as answer:
            if answer.status_code != 200:
                answer.read()
            reader = Reader(answer)
            if answer.status_code == 200:
                first = reader.message()
                self.assertEqual("1000", first["retry"])
            yield reader

    def test_what_is_posted_from_then_on_comes_in_order(self):
        self.post("before")
        with self.stream() as reader:
            self.assertEqual("text/event-stream",
                             reader.answer.headers["content-type"])
            self.assertIn("x-openstack-request-id", reader.answer.headers)
            self.post("a", "b")
            self.post("c", payload={"line": "one\ntwo\r\u2028"})
            found = reader.events(3)
        self.assertEqual(["a", "b", "c"],
                         [one["event_type"] for one in found])
        self.assertEqual({"line": "one\ntwo\r\u2028"},
                         found[2]["payload"])

    def test_nothing_of_another_project_comes(self):
        """S1"""
        with self.stream() as mine, \
                self.stream("?all_projects=true", "ADMIN") as all_of_them:
            self.post("theirs", persona="FOREIGN_MEMBER")
            self.post("ours")
            self.assertEqual(["ours"], mine.types(1))
            self.assertEqual({"ours", "theirs"}, set(all_of_them.types(2)))

    def test_filters_words_and_patterns_narrow_it(self):
        pattern = json.dumps({"traits": {"n": [{"numeric": [">", 1]}]}})
        with self.stream("?event_type=prefix:a.&q=blue") as by_filter, \
                self.stream(f"?pattern={pattern}") as by_pattern:
            self.post("a.b", payload={"colour": "red"}, traits={"n": 1})
            self.post("a.c", payload={"colour": "blue"}, traits={"n": 2})
            self.post("b.c", payload={"colour": "blue"}, traits={"n": 3})
            self.assertEqual(["a.c"], by_filter.types(1))
            self.assertEqual(["a.c", "b.c"], by_pattern.types(2))

    def test_what_was_made_of_one_event_comes_whole_and_once(self):
        """Of an event that a transform splits."""
        made = self.client.post(
            "/v1.0/transforms", headers=service.token("MEMBER"), json={
                "name": "split", "pattern": {"event_type": ["order"]},
                "operations": [{"split": "payload.items"}]})
        self.assertEqual(201, made.status_code, made.text)
        items = [{"sku": n} for n in range(3)]
        with self.stream() as reader:
            self.post("a")
            reader.events(1)
            before = reader.last_id
            self.post("order", payload={"items": items})
            found = reader.events(3)
            self.post("b")
            self.assertEqual(["b"], reader.types(1))
        self.assertEqual(3, len({one["event_id"] for one in found}))
        with self.stream(last_id=before) as again:
            self.assertEqual([one["event_id"] for one in found], [
                one["event_id"] for one in again.events(3)])
            self.assertEqual(["b"], again.types(1))

    def test_a_broken_one_goes_on_where_it_was(self):
        with self.stream() as reader:
            self.post("a")
            self.assertEqual(["a"], reader.types(1))
        self.post("b", "c")
        with self.stream(last_id=reader.last_id) as again:
            self.assertEqual(["b", "c"], again.types(2))
            self.post("d")
            self.assertEqual(["d"], again.types(1))

    def test_one_that_broke_before_its_first_event_misses_nothing(self):
        with self.stream() as reader:
            pass
        self.post("a")
        with self.stream(last_id=reader.last_id) as again:
            self.assertEqual(["a"], again.types(1))

    def test_what_was_not_wanted_is_not_looked_at_again(self):
        with self.stream("?event_type=b") as reader:
            before = reader.last_id
            self.post("a")
            while reader.last_id == before:
                self.assertNotIn("data", reader.message())
        with self.stream(last_id=reader.last_id) as again:
            self.post("c")
            self.assertEqual(["c"], again.types(1))

    def test_who_was_away_too_long_is_told(self):
        self.conf.set_override("events", 3, group="live")
        with self.stream() as reader:
            self.post("a")
            reader.events(1)
        self.post(*(f"n.{number}" for number in range(10)))
        self.await_received(11)
        with self.stream(last_id=reader.last_id) as again:
            gap, *rest = again.events(4)
        self.assertEqual({"reason": "forgotten", "missed": None}, gap["gap"])
        self.assertEqual(["n.7", "n.8", "n.9"],
                         [one["event_type"] for one in rest])

    def await_received(self, number: int) -> None:
        wait_for("the events are seen", lambda: self.client.get(
            "/v1.0/events/recent", headers=service.token("READER")
        ).json()["counters"]["received"] == number, every=0.02)

    def test_a_place_that_the_bus_does_not_have_is_a_gap_and_goes_on(self):
        with self.stream(last_id="0.4711,1.4711,2.4711,3.4711") as reader:
            self.assertIn("gap", reader.events(1)[0])
            self.post("a")
            self.assertEqual(["a"], reader.types(1))

    def test_a_slow_one_is_told_what_it_missed_and_costs_no_other(self):
        """S17"""
        self.conf.set_override("stream_events", 50, group="live")
        with self.stream() as slow, self.stream("?event_type=last") as quick:
            for _ in range(40):
                self.post(*(["filler"] * 20),
                          payload={"text": "x" * 40_000})
            self.post("last")
            while quick.events(1)[0].get("event_type") != "last":
                pass
            missed = seen = 0
            while True:
                one, = slow.events(1)
                if "gap" in one:
                    self.assertEqual("too_slow", one["gap"]["reason"])
                    missed += one["gap"]["missed"]
                else:
                    seen += 1
                    if one["event_type"] == "last":
                        break
        self.assertEqual(801, seen + missed)
        self.assertGreater(missed, 0)

    def test_one_gives_no_more_than_its_rate_and_says_what_it_leaves_out(
            self):
        self.conf.set_override("stream_events", 20, group="live")
        self.conf.set_override("stream_rate", 10.0, group="live")
        with self.stream() as reader:
            self.check_rate(reader)

    def test_several_share_what_all_may_give(self):
        """S17: what many want together costs those who post no more."""
        self.conf.set_override("stream_events", 20, group="live")
        self.conf.set_override("stream_rate", 100.0, group="live")
        self.conf.set_override("streams_rate", 20.0, group="live")
        with self.stream() as one, self.stream() as other:
            self.check_rate(one, other)

    def check_rate(self, *readers: Reader) -> None:
        """About ten a second are given, and the others counted."""
        began = time.monotonic()
        for _ in range(2):
            self.post(*(["filler"] * 500))
        for reader in readers:
            seen = missed = 0
            while seen + missed < 980:
                one, = reader.events(1)
                missed += one.get("gap", {}).get("missed", 0)
                seen += "gap" not in one
            self.assertGreater(missed, 100)
            self.assertLess(seen, 40 + 15 * (time.monotonic() - began))

    def test_signs_of_life_come_while_nothing_happens(self):
        with self.stream() as reader:
            for _ in range(3):
                self.assertIn("id", reader.message())

    def test_it_ends_after_its_lifetime_and_the_token_is_looked_at(self):
        self.conf.set_override("stream_lifetime", 1.0, group="live")
        with self.stream() as reader:
            while reader.message() is not None:
                pass
        self.await_streams(0)
        # On the same connection.
        self.post("after")

    def await_streams(self, count: int) -> None:
        wait_for(f"{count} streams are open", lambda: (
            self.service.parts.live.streams.count == count), every=0.02)

    def test_one_whose_client_went_away_is_given_up(self):
        with self.stream():
            self.await_streams(1)
        self.await_streams(0)

    def test_their_number_is_bounded_and_others_are_served(self):
        """S17: a project cannot have all, and streams take no thread of
        those that serve."""
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(self.stream())
            refused = stack.enter_context(self.stream()).answer
            self.assertEqual(503, refused.status_code)
            self.assertEqual("too_many_streams",
                             refused.json()["errors"][0]["code"])
            self.assertIn("retry-after", refused.headers)
            other = stack.enter_context(self.stream(
                persona="FOREIGN_MEMBER")).answer
            self.assertEqual(200, other.status_code)
            refused = stack.enter_context(self.stream(
                "?all_projects=true", "ADMIN")).answer
            self.assertEqual(503, refused.status_code)
            self.post("a")
            self.assertEqual(200, self.client.get(
                "/v1.0/events", headers=service.token("READER")).status_code)
        self.await_streams(0)

    def test_a_stop_ends_them_at_once(self):
        with mock.patch.object(server, "DRAIN", 3 * service.PATIENCE), \
                self.stream() as reader:
            began = time.monotonic()
            self.running.stop()
            while reader.message() is not None:
                pass
        # Not a measurement: who waits for the drain takes three times that.
        self.assertLess(time.monotonic() - began, service.PATIENCE)

    def test_without_streams_there_is_nothing_at_the_address(self):
        self.conf.set_override("max_streams", 0, group="live")
        with self.stream() as reader:
            self.assertEqual(404, reader.answer.status_code)

    def test_a_server_of_one_request_at_a_time_has_none(self):
        """S17: gunicorn's sync workers; the stream would be all they serve."""
        for several, status in ((False, 404), (True, 200)):
            req = webob.Request.blank(PATH, headers=service.token("READER"))
            req.environ["wsgi.multithread"] = several
            found, _, parts, _ = req.call_application(
                self.service.application, catch_exc_info=True)
            getattr(parts, "close", list)()
            self.assertEqual(status, int(found[:3]))

    def test_watching_ends_when_nobody_asks_and_begins_again(self):
        live = self.service.parts.live
        with self.stream():
            pass
        self.await_streams(0)
        first = live._thread
        self.conf.set_override("idle", 1.0, group="live")
        first.join(30)
        self.assertFalse(first.is_alive())
        with self.stream() as reader:
            self.post("a")
            self.assertEqual(["a"], reader.types(1))
