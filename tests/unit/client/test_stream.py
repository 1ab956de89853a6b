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

"""Events as they come, also when the connection goes."""

from collections.abc import Iterable, Iterator
import json
import unittest
import uuid

from monasca_events_client import Client
from monasca_events_client import Retries
from monasca_events_client import errors
from monasca_events_client.stream import Message
from monasca_events_client.stream import messages
from monasca_events_client.stream import Stream
from tests.unit.client.site import SiteTest
from tests.unit.client.site import refuse


def first(count: int, stream: Iterable[dict]) -> list[dict]:
    return [one for _, one in zip(range(count), stream, strict=False)]


def broken(application, environ, start_response):
    """Let a stream through up to its first event, and end it there."""
    for chunk in application(environ, start_response):
        yield chunk
        if b"data:" in chunk:
            return


class StreamTest(SiteTest):

    settings = {"live__heartbeat": "0.2", "live__max_streams": "99",
                "live__streams_of_project": "99"}

    def setUp(self):
        super().setUp()
        self.word = uuid.uuid4().hex

    def stream(self, client: Client | None = None, **given) -> Stream:
        stream = (client or self.client).stream(**given)
        self.addCleanup(stream.close)
        return stream

    def post(self, *types: str, client=None) -> None:
        (client or self.client).events.post(
            {"event_type": one, "resource_id": self.word} for one in types)

    def types(self, count: int, stream) -> list[str]:
        return [one["event_type"] for one in first(count, stream)]

    def test_what_is_posted_from_then_on_comes(self):
        earlier = self.stream(resource_id=self.word)
        earlier.open()
        self.post("before")
        self.assertEqual(["before"], self.types(1, earlier))
        stream = self.stream(resource_id=self.word)
        stream.open()
        self.post("a", "b")
        self.post("c")
        events = first(3, stream)
        self.assertEqual(["a", "b", "c"],
                         [one["event_type"] for one in events])
        stored = self.stored(4, resource_id=self.word)
        for one in events:
            self.assertIn(one, stored)

    def test_filters_and_patterns_narrow_it(self):
        for given in ({"event_type": "prefix:b."},
                      {"words": ["b.c"]},
                      {"pattern": json.dumps({"event_type": [
                          {"prefix": "b."}]})}):
            with self.subTest(given=given):
                stream = self.stream(**given)
                stream.open()
                self.post("a.b", "b.c")
                self.assertEqual(["b.c"], self.types(1, stream))
                stream.close()

    def test_another_s_events_do_not_come(self):
        """S1"""
        stream, everything = self.stream(), self.stream(
            self.admin, all_projects=True)
        stream.open()
        everything.open()
        self.post("theirs", client=self.foreign)
        self.post("ours")
        self.assertEqual(["ours"], self.types(1, stream))
        self.assertEqual({"theirs", "ours"},
                         set(self.types(2, everything)))

    def test_it_goes_on_where_it_broke(self):
        events = self.begin_with_a()
        # Posted while nobody listens, for the answer ended with "a".
        self.post("b", "c")
        self.assertEqual(["b", "c"], self.types(2, events))
        self.assertEqual([1.0], self.sleep.waited)

    def test_another_stream_goes_on_behind_the_last_event(self):
        stream = self.stream(resource_id=self.word)
        stream.open()
        self.post("a", "b", "c")
        self.assertEqual("a", next(iter(stream))["event_type"])
        stream.close()
        again = self.stream(resource_id=self.word,
                             last_id=stream.last_id)
        self.assertEqual(["b", "c"], self.types(2, again))

    def test_a_service_that_is_away_for_a_while_comes_back(self):
        events = self.begin_with_a()
        self.post("b")
        self.site.expect(*[refuse("503 Service Unavailable")] * 6)
        self.assertEqual(["b"], self.types(1, events))

    def test_one_that_stays_away_is_an_error(self):
        events = self.begin_with_a(patience=0)
        self.site.expect(*[refuse("503 Service Unavailable")] * 9)
        with self.assertRaises(errors.ServiceUnavailable):
            next(events)

    def override(self, name: str, value: int) -> None:
        conf = self.site.service.parts.conf
        conf.set_override(name, value, group="live")
        self.addCleanup(conf.clear_override, name, group="live")

    def begin_with_a(self, **given) -> Iterator[dict]:
        """Return a stream that ends after its first event, which was read."""
        stream = self.stream(resource_id=self.word, **given)
        self.site.expect(broken)
        stream.open()
        self.post("a")
        events = iter(stream)
        self.assertEqual("a", next(events)["event_type"])
        return events

    def test_what_is_forgotten_is_told(self):
        gaps = []
        stream = self.stream(resource_id=self.word, last_id="0.99999",
                             gap=gaps.append)
        stream.open()
        self.post("a")
        self.assertEqual(["a"], self.types(1, stream))
        self.assertEqual([{"reason": "forgotten", "missed": None}], gaps)

    def test_more_streams_than_there_is_room_for_are_refused(self):
        self.override("streams_of_project", 2)
        for _ in range(2):
            self.stream(self.foreign).open()
        client = self.site.client("FOREIGN_MEMBER", retries=Retries(0))
        with self.assertRaises(errors.ServiceUnavailable) as caught:
            client.stream().open()
        self.assertEqual("too_many_streams", caught.exception.code)

    def test_where_there_are_none_it_is_not_found(self):
        self.override("max_streams", 0)
        with self.assertRaises(errors.NotFound):
            self.stream().open()
        with self.assertRaises(errors.BadRequest):
            self.stream(since="2026-11-22").open()

    def test_a_role_is_needed(self):
        with self.assertRaises(errors.Forbidden):
            self.site.client("NO_ROLE").stream().open()


class MessagesTest(unittest.TestCase):

    def test_blocks_are_read_however_they_are_cut(self):
        text = (b"retry: 1500\nid: 0.1\n\n: a comment\n\n"
                b"id: 0.2\r\nevent: gap\r\ndata: {\r\ndata: }\r\n\r\n"
                b"data:x\nid: 0\x00\ncolour: red\nalone\n\nid: 0.3\n\n"
                b"data: unfinished\n")
        expected = [Message("message", None, "0.1", 1.5),
                    Message("message", None, "0.1"),
                    Message("gap", "{\n}", "0.2"),
                    Message("message", "x", "0.2"),
                    Message("message", None, "0.3")]
        for size in (1, 2, 3, 7, 1000):
            with self.subTest(size=size):
                chunks = [text[at:at + size]
                          for at in range(0, len(text), size)]
                self.assertEqual(expected, list(messages(chunks)))

    def test_an_id_of_before_stays(self):
        self.assertEqual([Message("message", "é", "7")],
                         list(messages(["data: é\n\n".encode()], "7")))
