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

"""The agent and the API as processes, on files: gzip between them, and what
SIGHUP changes."""

import gzip
import json
import pathlib
import re
import signal
import tempfile
import threading
import unittest

import requests

from monasca_events_common.deadletters import DeadLetters
from tests.integration import topic
from tests.integration.daemons import Daemons
from tests.integration.daemons import wait_for
from tests.integration.proxy import Proxy
from tests.integration.sites import free_port

CONFIG = """
[DEFAULT]
use_stderr = true
[sqlite_bus]
path = {home}/bus.db
[sqlite_store]
path = {home}/events.db
[dead_letters]
connection = sqlite:///{home}/dead.db
[database]
connection = sqlite:///{home}/definitions.db
[secrets]
key_file = {home}/secrets.key
[api]
port = {port}
[identity_local]
tokens_file = {home}/tokens.json
[agent]
sources = file
operator_project_id = 00000000000000000000000000000000
{filters}
[file]
paths = {home}/notifications.ndjson
poll_interval = 0.02
batch_size = 50
[spool]
path = {home}/spool/spool.db
[poster]
endpoints = http://127.0.0.1:{way}
max_wait = 0.02
{poster}
[api_auth]
auth_type = admin_token
endpoint = http://127.0.0.1:{way}
token = {token}
[metrics]
ports = agent:{metrics}
"""

PROJECT = "1" * 32
MIB = 1024 * 1024


class _EmbeddedTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="monasca-events-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.daemons = Daemons(self.home)
        self.addCleanup(self.daemons.close)
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.proxy = Proxy(self.port)
        self.addCleanup(self.proxy.close)
        self.token = ""
        self.configure()
        self.daemons.start("api")
        wait_for("the API answers", self.answers)
        accounts = json.loads((self.home / "tokens.json").read_text())
        self.token, = (one["token"] for one in accounts["accounts"]
                       if one["name"] == "service")

    def configure(self, filters="", poster=""):
        self.daemons.configure(CONFIG.format(
            home=self.home, port=self.port, way=self.proxy.port,
            token=self.token, filters=filters, poster=poster,
            metrics=self.metrics_port))

    def answers(self):
        try:
            return requests.get(self.url + "/", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def notify(self, *marks, **payload):
        """Append a notification for each (event type, number)."""
        with open(self.home / "notifications.ndjson", "a") as file:
            for event_type, number in marks:
                file.write(json.dumps({
                    "message_id": f"{event_type}-{number}",
                    "event_type": event_type, "priority": "INFO",
                    "publisher_id": "compute.one",
                    "timestamp": "2026-11-22 10:00:00.000000",
                    "_context_project_id": PROJECT,
                    "payload": {"tenant_id": PROJECT, "mark": number,
                                **payload}}) + "\n")

    def arrived(self):
        """Return (event type, number) of all that is on the bus."""
        found = map(json.loads, topic.records(self.daemons.config))
        return [(one["event_type"], one["payload"]["mark"]) for one in found]

    def assert_no_letters(self):
        letters = DeadLetters(f"sqlite:///{self.home}/dead.db")
        try:
            self.assertEqual([], letters.list())
        finally:
            letters.close()


class TestGzip(_EmbeddedTest):
    """M7, S13"""

    def start(self, **options):
        self.configure(poster="compress = true\n" + "\n".join(
            f"{name} = {value}" for name, value in options.items()))
        self.daemons.start("agent")

    def expect(self, count):
        marks = [("a.b", number) for number in range(count)]
        self.notify(*marks, filler="what repeats becomes small " * 70)
        wait_for("the events arrive", lambda: len(self.arrived()) >= count)
        self.assertEqual(marks, self.arrived())
        self.assert_no_letters()

    def test_events_travel_compressed_and_arrive_whole(self):
        self.start()
        self.expect(300)
        raw = sum(map(len, topic.records(self.daemons.config)))
        self.assertLess(self.proxy.forwarded, raw / 4)

    def test_a_batch_that_inflates_beyond_the_limit_is_cut(self):
        self.start(max_batch_bytes=3 * MIB, max_wait=1)
        self.expect(1000)
        log = self.daemons.log("agent")
        self.assertIn("the API refused a body of", log)

    def test_a_bomb_is_refused_and_never_inflated(self):
        def post(body):
            return requests.post(
                f"{self.url}/v1.0/events", data=body, timeout=60, headers={
                    "X-Auth-Token": self.token, "Content-Encoding": "gzip",
                    "Content-Type": "application/json"})
        good = gzip.compress(b'{"events": [{"event_type": "a.b", "payload": '
                             b'{"mark": 1}}]}')
        self.assertEqual(202, post(good).status_code)
        bomb = gzip.compress(b" " * (200 * MIB), 1)
        self.assertLess(len(bomb), MIB)
        worker, = self.daemons.workers("api")
        before = peak(worker)
        for _turn in range(5):
            answer = post(bomb)
            self.assertEqual(413, answer.status_code, answer.text)
            self.assertEqual("body_too_large",
                             answer.json()["errors"][0]["code"])
        self.assertLess(peak(worker) - before, 20 * MIB)
        self.assertEqual(202, post(good).status_code)
        self.assertEqual([("a.b", 1)] * 2, self.arrived())


def peak(pid: int) -> int:
    """Return the most bytes that a process ever had resident."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status).group(1))


class TestSighup(_EmbeddedTest):
    """F22, F23: filters follow the file, and nothing else changes."""

    def hup(self, **filters):
        self.configure(filters="\n".join(
            f"{name} = {value}" for name, value in filters.items()))
        self.daemons.signal("agent", signal.SIGHUP)

    def metric(self, name):
        """Return a counter of the stage agent, all reasons together."""
        text = requests.get(
            f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=60).text
        return sum(float(line.split()[-1]) for line in text.splitlines()
                   if line.startswith(f"monasca_events_{name}_total{{")
                   and 'stage="agent"' in line)

    def quiet(self, sent):
        """Wait until the agent has taken all; return (passed, dropped)."""
        wait_for("all is received", lambda: self.metric("received") == sent)
        # Counted a little later than that.
        wait_for("all is passed on or dropped", lambda: self.metric(
            "passed") + self.metric("dropped") == sent)
        passed, dropped = self.metric("passed"), self.metric("dropped")
        wait_for("all is posted", lambda: len(self.arrived()) >= passed)
        return passed, dropped

    def test_filters_change_in_mid_stream_and_nothing_is_lost(self):
        self.configure()
        self.daemons.start("agent")
        wait_for("both processes are there",
                 lambda: len(self.daemons.workers("agent")) == 2)
        workers = self.daemons.workers("agent")
        sent: list[tuple[str, int]] = []
        ended = threading.Event()

        def stream():
            number = 0
            while not ended.wait(0.005):
                marks = [("compute.x", number), ("network.x", number)]
                number += 1
                self.notify(*marks)
                sent.extend(marks)
        writer = threading.Thread(target=stream)
        writer.start()
        try:
            for _turn in range(3):
                seen = self.metric_soon("dropped")
                self.hup(exclude_event_types="network.*")
                wait_for("networks are dropped", lambda: self.metric(
                    "dropped") > seen + 20)  # noqa: B023
                self.hup(exclude_event_types="")
                passed = self.metric("passed")
                wait_for("more pass", lambda: self.metric(
                    "passed") > passed + 50)  # noqa: B023
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.daemons.log('agent')[-3000:]}") from None
        finally:
            ended.set()
            writer.join()
        passed, dropped = self.quiet(len(sent))
        arrived = self.arrived()
        self.assertEqual([one for one in sent if one[0] == "compute.x"],
                         [one for one in arrived if one[0] == "compute.x"])
        self.assertEqual(passed, len(arrived))
        self.assertEqual(arrived, [one for one in sent if one in
                                   set(arrived)])
        self.assertGreater(dropped, 60)
        self.assertEqual(workers, self.daemons.workers("agent"))
        self.assert_no_letters()

    def metric_soon(self, name):
        def answer():
            try:
                return [self.metric(name)]
            except requests.RequestException:
                return None
        return wait_for("metrics are served", answer)[0]

    def test_a_mistake_in_the_file_keeps_the_filters(self):
        self.configure(filters="event_types = compute.*")
        self.daemons.start("agent")
        self.metric_soon("received")
        self.notify(("compute.x", 0), ("network.x", 0))
        self.assertEqual((1, 1), self.quiet(2))
        self.configure(filters="event_types = *", poster="max_wait = soon")
        self.daemons.signal("agent", signal.SIGHUP)
        wait_for("the mistake is told", lambda: "the configuration stays as "
                 "it was" in self.daemons.log("agent"))
        self.notify(("compute.x", 1), ("network.x", 1))
        self.assertEqual((2, 2), self.quiet(4))
        self.configure(filters="event_types = network.*")
        self.daemons.signal("agent", signal.SIGHUP)
        wait_for("the change is told", lambda: re.search(
            r"event_types.*network", self.daemons.log("agent")))
        self.notify(("compute.x", 2), ("network.x", 2))
        self.assertEqual((3, 3), self.quiet(6))
        self.assertEqual([("compute.x", 0), ("compute.x", 1),
                          ("network.x", 2)], self.arrived())


if __name__ == "__main__":
    unittest.main()
