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

import json
import logging
import pathlib
import threading

import fixtures
from prometheus_client import REGISTRY
import testtools

from monasca_events_agent import agent
from monasca_events_agent import options as agent_options
from monasca_events_agent import replay
from monasca_events_agent.agent import Crew
from monasca_events_agent.spool import Spool
from monasca_events_common import config
from monasca_events_common.daemon import together
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import get_dead_letters
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from tests.unit.agent.sink import Sink

CONFIG = """
[agent]
sources = file
operator_project_id = 00000000000000000000000000000000
[file]
paths = {home}/events.json
[spool]
path = {home}/spool/spool.db
[dead_letters]
connection = sqlite:///{home}/dead.db
[poster]
endpoints = {url}
max_wait = 0.01
[api_auth]
auth_type = none
"""


class AgentTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.sink = Sink()
        self.addCleanup(self.sink.close)

    def conf(self, text=CONFIG):
        file = self.home / "agent.conf"
        file.write_text(text.format(home=self.home, url=self.sink.url))
        return config.load(["--config-file", str(file)], "test",
                           agent.GROUPS)

    def notification(self, number, **fields):
        return json.dumps({
            "message_id": f"m-{number}", "event_type": "a.b",
            "publisher_id": "p", "priority": "INFO",
            "timestamp": "2026-11-22 00:00:00.000000",
            "payload": {"tenant_id": "1" * 32}, **fields}).encode()


class TestAgent(AgentTest):

    def test_a_line_in_a_file_becomes_an_event_at_the_api(self):
        """B4, B9, B10: both processes of the agent, in one."""
        (self.home / "events.json").write_bytes(
            self.notification(1) + b"\n" + b"garbage\n"
            + self.notification(2) + b"\n")
        conf = self.conf()
        agent.check(conf)
        arrived = threading.Event()
        inner = self.sink.answer

        def answer(events):
            if events[-1]["event_id"] == "m-2":
                arrived.set()
            return inner(events)
        self.sink.answer = answer
        stop = threading.Event()
        thread = threading.Thread(
            target=together(agent.make_collector(conf),
                            agent.make_sender(conf)), args=(stop,))
        thread.start()
        self.assertTrue(arrived.wait(60))
        stop.set()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assertEqual(["m-1", "m-2"], self.sink.accepted)
        event = self.sink.requests[0][2][0]
        self.assertEqual(("1" * 32, "a.b", "notification"), (
            event["project_id"], event["event_type"], event["source"]))

    def test_a_thread_that_dies_ends_the_agent(self):
        def fail(ending):
            raise ZeroDivisionError("a bug")

        def idle(ending):
            ending.wait()
        made = Crew({"broken": fail, "idle": idle}, threading.Event(), 20,
                    lambda: None)
        self.assertRaises(ZeroDivisionError, made, threading.Event())

    def test_the_sender_shows_what_the_collector_spooled(self):
        """D17: received = passed + in flight, of what both processes do."""
        def value(name, **labels):
            return REGISTRY.get_sample_value(
                f"monasca_events_{name}", {"stage": "poster", **labels}) or 0
        conf = self.conf()
        spooled = Spool(conf.spool, counts=False)
        self.addCleanup(spooled.close)
        spooled.append([b"1"])
        before = value("received_total")
        counting = Spool(conf.spool)
        self.addCleanup(counting.close)
        self.assertEqual(1, value("received_total") - before)
        spooled.append([b"2", b"3"])
        self.assertEqual(1, value("received_total") - before)
        counting.remove(counting.fetch(2, 1000))
        self.assertEqual(3, value("received_total") - before)
        self.assertEqual(1, value("in_flight"))
        spooled.append([b"4"])
        counting.depth()
        self.assertEqual(4, value("received_total") - before)
        self.assertEqual(2, value("in_flight"))

    def test_mistakes_are_found_before_anything_is_opened(self):
        for old, new in (("operator_project_id = 0", "x = 0"),
                         ("sources = file", "sources = nonsense"),
                         ("sources = file", "sources ="),
                         ("auth_type = none", "x = y"),
                         ("auth_type = none", "auth_type = nonsense")):
            conf = self.conf(CONFIG.replace(old, new))
            self.assertRaises(Misconfigured, agent.check, conf)
        self.assertFalse((self.home / "spool").exists())

    def test_every_group_is_in_the_sample(self):
        found = dict(agent_options.list_opts())
        self.assertEqual({"agent", "spool", "poster", "notifications",
                          "syslog", "file", "api_auth", "monasca_events_file"},
                         set(found))
        for group, opts in found.items():
            self.assertEqual(len(opts), len({opt.name for opt in opts}))
            if group == "api_auth":
                continue
            for opt in opts:
                self.assertTrue(opt.help.endswith("."), opt.name)


class TestReplay(AgentTest):
    """R2"""

    def spooled(self, conf):
        opened = Spool(conf.spool)
        self.addCleanup(opened.close)
        return [json.loads(row.body)["event_id"]
                for row in opened.fetch(100, 10 ** 6)]

    def test_a_letter_of_the_agent_goes_through_the_pipeline_again(self):
        conf = self.conf()
        made = replay.Replayer(conf)
        self.addCleanup(made.close)
        made.replay(DeadLetter(
            "agent", "c", "r", "E", "p", self.notification(1),
            first_at="2026-11-22T00:00:00.000000Z"))
        self.assertEqual(["m-1"], self.spooled(conf))

    def test_a_letter_that_is_still_poison_stays_one(self):
        conf = self.conf()
        made = replay.Replayer(conf)
        self.addCleanup(made.close)
        error = self.assertRaises(Rejected, made.replay, DeadLetter(
            "agent", "c", "r", "E", "p", b"garbage",
            first_at="2026-11-22T00:00:00.000000Z"))
        self.assertEqual("not_json", error.code)
        self.assertEqual([], self.spooled(conf))
        self.assertEqual([], get_dead_letters(conf).list())

    def test_a_letter_of_the_poster_is_spooled_as_it_is(self):
        conf = self.conf()
        made = replay.PosterReplayer(conf)
        self.addCleanup(made.close)
        made.replay(DeadLetter("poster", "c", "r", "E", "p",
                               b'{"event_id":"m-7"}'))
        self.assertEqual(["m-7"], self.spooled(conf))
