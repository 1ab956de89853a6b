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

"""A receiver that hangs, and what the others notice of it (F20)."""

import pathlib
import statistics
import sys
import tempfile
import threading
import time
import unittest

from monasca_events_common.catalog import signing
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from tests.integration import delivering
from tests.unit.engine.outgoing import method
from tests.unit.engine.outgoing import Running
from tests.unit.engine.outgoing import Table
from tests.unit.engine.outgoing import until
from tests.unit.engine.receiver import Receiver

A, B = "a" * 32, "b" * 32
ROUNDS = 5
COUNT = 200

#: Comparisons of which one must hold: whatever else the machine does between
#: two measurements shows in them as well.
ATTEMPTS = 5


class TestSlowReceiver(unittest.TestCase):

    def begin(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = Database(f"sqlite:///{folder.name}/events.db")
        self.addCleanup(self.database.close)
        self.database.upgrade()
        self.table = Table(self.database)
        secrets = Secrets(pathlib.Path(folder.name) / "key", make=True)
        self.end = threading.Event()
        self.slow = Receiver(lambda request: self.end.wait(60) and None)
        self.addCleanup(self.slow.close)
        self.addCleanup(self.end.set)
        self.quick = Receiver()
        self.addCleanup(self.quick.close)
        self.running = Running(
            self.database, secrets,
            {"webhook": delivering.webhook(
                self.database, self.slow.port, self.quick.port)}, threads=32,
            max_attempts=1000, breaker_failures=1000)
        self.addCleanup(self.running.close)
        self.running.start()
        self.methods = {
            (project_id, receiver): method(
                self.running.catalog, secrets, project_id=project_id,
                kind="webhook", keys=[signing.make_key()],
                address=f"http://127.0.0.1:{receiver.port}/")
            for project_id in (A, B) for receiver in (self.slow, self.quick)}

    def round(self) -> float:
        """Return the median time of a commit, handing over and arrival."""
        before = len(self.quick.requests)
        sent = []
        for number in range(COUNT):
            project_id = (A, B)[number % 2]
            sent.append((time.monotonic(), self.running.hand_over(
                self.table, project_id=project_id, action="webhook",
                method_id=self.methods[project_id, self.quick])[0]))
            time.sleep(0.005)
        until("all arrive", lambda: len(
            self.quick.requests) == before + COUNT)
        arrived = dict(zip(self.quick.ids, self.quick.times, strict=True))
        return statistics.median(arrived[one["delivery_id"]] - at
                                 for at, one in sent)

    def compare(self) -> tuple[float, float]:
        """Return the medians alone and beside a receiver that hangs."""
        self.begin()
        self.round()
        alone = statistics.median(self.round() for _ in range(ROUNDS))
        for project_id in (A, B):
            self.running.hand_over(
                self.table, 500, project_id=project_id, action="webhook",
                method_id=self.methods[project_id, self.slow])
        until("it hangs", lambda: self.slow.connections >= 8)
        beside = statistics.median(self.round() for _ in range(ROUNDS))
        print(f"median of commit and arrival: {alone * 1000:.2f} ms alone, "
              f"{beside * 1000:.2f} ms beside a receiver that hangs",
              file=sys.stderr)
        self.doCleanups()
        return alone, beside

    def test_the_others_are_told_as_quickly_as_ever(self):
        """F20: less than a tenth longer, while one takes 30 s an answer and
        gives none; its own project's other receivers too."""
        for _ in range(ATTEMPTS):
            alone, beside = self.compare()
            # A fifth of a millisecond is what this clock and two cores
            # wobble.
            if beside < alone * 1.1 + 0.0005:
                return
        self.fail(f"{alone} s alone, {beside} s beside it")
