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
import threading

import fixtures
import orjson
import prometheus_client
import testtools

from monasca_events_agent import filters
from monasca_events_agent import spool
from monasca_events_agent.normalise import Dropped
from monasca_events_agent.pipeline import Pipeline
from monasca_events_agent.sources import Bookmark
from monasca_events_agent.sources import Notice
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from tests.integration.daemons import wait_for
from tests.unit.agent.sink import options

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)


def normalise(notification, received_at, source):
    """Stands for the normaliser: what it may return and raise."""
    if notification["event_type"] == "drop":
        raise Dropped("other_format_kept")
    if notification["event_type"] == "reject":
        raise Rejected("no good", code="no_good")
    return {"event_id": notification["message_id"],
            "received_at": received_at, "payload": notification["payload"]}


def notice(number, event_type="a.b", **fields):
    return Notice(json.dumps({
        "message_id": str(number), "event_type": event_type,
        "publisher_id": "compute.one", "payload": {}, **fields}).encode(),
        f"test/{number}")


def counted(name, **labels):
    return prometheus_client.REGISTRY.get_sample_value(
        f"monasca_events_{name}_total", {"stage": "agent", **labels}) or 0


class PipelineTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        logging.disable(logging.ERROR)
        self.addCleanup(logging.disable, logging.NOTSET)
        home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.spool = spool.Spool(options(
            "spool", spool.OPTS, path=str(home / "s" / "spool.db"),
            max_bytes=1024 ** 2))
        self.addCleanup(self.spool.close)
        self.letters = DeadLetters(f"sqlite:///{home}/dead.db")
        self.addCleanup(self.letters.close)
        self.stop = threading.Event()

    def pipeline(self, **values):
        return Pipeline(normalise, filters.Filter(
            options("agent", filters.OPTS, **values)), self.spool,
            self.letters, self.stop, now=lambda: NOW)

    def spooled(self):
        return [orjson.loads(row.body)["event_id"]
                for row in self.spool.fetch(10 ** 6, 10 ** 9)]


class TestPipeline(PipelineTest):

    def test_notifications_are_spooled_in_order_with_the_bookmark(self):
        """B9"""
        deliver = self.pipeline()
        deliver([notice(1), notice(2)], Bookmark("file", "9"))
        self.assertEqual(["1", "2"], self.spooled())
        self.assertEqual("9", deliver.bookmark("file"))
        self.assertEqual("2026-11-22T00:00:00.000000Z", orjson.loads(
            self.spool.fetch(1, 1)[0].body)["received_at"])

    def test_an_envelope_of_oslo_messaging_is_opened(self):
        inner = notice(1).body.decode()
        self.pipeline()([Notice(json.dumps(
            {"oslo.version": "2.0", "oslo.message": inner}).encode(), "x")])
        self.assertEqual(["1"], self.spooled())

    def test_what_a_library_decoded_needs_no_decoding(self):
        self.pipeline()([Notice(json.loads(notice(1).body), "x")])
        self.assertEqual(["1"], self.spooled())

    def test_poison_is_buried_and_its_neighbours_go_on(self):
        """F12"""
        self.pipeline()([
            notice(1), Notice(b"garbage", "q/1"), Notice(b"[1]", "q/2"),
            notice(2, "reject"), Notice(b"\xff\xfe", "q/3"),
            notice(3, payload={"x": "y" * 300000}), notice(4)])
        self.assertEqual(["1", "4"], self.spooled())
        self.assertEqual(
            [("not_json", "q/1", b"garbage"), ("not_object", "q/2", b"[1]")],
            [("not_object" if letter.code == "not_an_object" else letter.code,
              letter.position, letter.raw)
             for letter in self.letters.list(stage="agent")[:2]])
        self.assertEqual(
            ["not_json", "not_an_object", "no_good", "not_json",
             "event_too_large"],
            [letter.code for letter in self.letters.list()])

    def test_what_orjson_cannot_write_is_buried(self):
        body = json.loads(notice(1).body)
        body["payload"] = {"big": 2 ** 70}
        self.pipeline()([Notice(body, "x"), notice(2)])
        self.assertEqual(["2"], self.spooled())
        self.assertIn(str(2 ** 70).encode(), self.letters.list()[0].raw)

    def test_secrets_are_masked_in_dead_letters(self):
        """S14"""
        self.pipeline()([notice(1, "reject", payload={
            "adminPass": "CANARY-1", "auth_token": "CANARY-2"})])
        self.assertNotIn(b"CANARY", self.letters.list()[0].raw)

    def test_the_same_poison_twice_is_one_letter(self):
        deliver = self.pipeline()
        for _time in range(2):
            deliver([Notice(b"garbage", "q/1")])
        letter, = self.letters.list()
        self.assertEqual(2, letter.attempts)

    def test_received_is_spooled_and_dead_and_dropped(self):
        """The invariant of reliability.md 2.1"""
        before = [counted("received"), counted("passed"),
                  counted("dead", code="no_good"),
                  counted("dropped", reason="other_format_kept"),
                  counted("dropped", reason="filtered_event_type")]
        self.pipeline(exclude_event_types=["noise.*"])([
            notice(1), notice(2), notice(3, "drop"), notice(4, "reject"),
            notice(5, "noise.x")])
        after = [counted("received"), counted("passed"),
                 counted("dead", code="no_good"),
                 counted("dropped", reason="other_format_kept"),
                 counted("dropped", reason="filtered_event_type")]
        self.assertEqual([5, 2, 1, 1, 1], [
            new - old for old, new in zip(before, after, strict=True)])


class TestFilter(testtools.TestCase):
    """A listener with event-type filtering: asked for and never got."""

    def refuses(self, event_type="compute.instance.create.end",
                publisher_id="compute.host-1", **values):
        return filters.Filter(options("agent", filters.OPTS, **values)
                              ).refuses({"event_type": event_type,
                                         "publisher_id": publisher_id})

    def test_everything_is_taken_by_default(self):
        self.assertIsNone(self.refuses())

    def test_only_what_matches_is_taken(self):
        wanted = ["compute.*", "volume.*"]
        self.assertIsNone(self.refuses(event_types=wanted))
        self.assertEqual("filtered_event_type", self.refuses(
            "image.update", event_types=wanted))

    def test_exclusion_wins(self):
        self.assertEqual("filtered_event_type", self.refuses(
            event_types=["compute.*"], exclude_event_types=["*.create.*"]))

    def test_publishers_are_chosen_likewise(self):
        self.assertEqual("filtered_publisher", self.refuses(
            exclude_publishers=["compute.host-?"]))
        self.assertIsNone(self.refuses(exclude_publishers=["network.*"]))

    def test_what_is_no_text_is_left_to_the_normaliser(self):
        self.assertIsNone(self.refuses(7, None, event_types=["compute.*"],
                                       publishers=["x"]))

    def test_a_change_of_the_options_takes_effect_with_the_next_batch(self):
        """D21"""
        conf = options("agent", filters.OPTS)
        chosen = filters.Filter(conf)
        event = {"event_type": "a", "publisher_id": "b"}
        self.assertIsNone(chosen.refuses(event))
        conf._conf.set_override("exclude_event_types", ["a"], group="agent")
        chosen.refresh()
        self.assertEqual("filtered_event_type", chosen.refuses(event))


class TestHolding(PipelineTest):

    def deliver(self, made, notices, bookmark=None):
        """Deliver in a thread, as a source does; return how it ended."""
        ended = []

        def run():
            try:
                made(notices, bookmark)
                ended.append(None)
            except Unavailable as error:
                ended.append(error)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread, ended

    def test_a_full_spool_is_waited_for_and_nothing_is_lost(self):
        """F11, F16"""
        self.spool.append([b"x" * 1024 ** 2])
        thread, ended = self.deliver(self.pipeline(), [notice(1)])
        thread.join(0.2)
        self.assertEqual([], ended)
        self.spool.remove(self.spool.fetch(1, 1))
        thread.join(60)
        self.assertEqual([None], ended)
        self.assertEqual(["1"], self.spooled())

    def test_when_told_to_stop_the_batch_is_not_called_safe(self):
        """R1, R10"""
        self.spool.append([b"x" * 1024 ** 2])
        thread, ended = self.deliver(self.pipeline(), [notice(1)],
                                     Bookmark("file", "9"))
        self.stop.set()
        thread.join(60)
        self.assertEqual("spool_full", ended[0].code)
        self.assertIsNone(self.spool.bookmark("file"))

    def test_when_nearly_everything_is_poison_it_stands_still(self):
        """R3, F13"""
        made = self.pipeline()
        poison = [Notice(b"garbage %d" % number, f"q/{number}")
                  for number in range(1200)]
        thread, ended = self.deliver(made, poison)
        wait_for("it stands still", lambda: self.letters.tripped("agent"))
        thread.join(0.3)
        self.assertEqual([], ended)
        self.assertEqual({}, self.letters.count())
        self.letters.resume("agent")
        thread.join(60)
        self.assertEqual([None], ended)
        self.assertEqual({("agent", "not_json"): 1200}, self.letters.count())

    def test_a_trip_outlives_the_process(self):
        self.letters.trip("agent", "everything was bad", "now")
        thread, ended = self.deliver(self.pipeline(), [notice(1)])
        self.stop.set()
        thread.join(60)
        self.assertEqual("breaker_tripped", ended[0].code)
        self.assertEqual([], self.spooled())
