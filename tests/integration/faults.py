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

"""Faults that every site must survive: nothing lost, nothing twice in view.

The generator's truth file is the judge, the seeds make a run repeatable.
"""

import os
import pathlib
import random
import shutil
import tempfile
import time
import zlib

from tests.integration.daemons import wait_for
from tests.integration.sites import Site

#: Times that each daemon is killed. A night can afford more of them.
KILLS = int(os.environ.get("MONASCA_EVENTS_TEST_KILLS") or 20)
#: Notifications that arrive while the API is down.
OUTAGE = int(os.environ.get("MONASCA_EVENTS_TEST_OUTAGE") or 50000)
SEED = 20261122


class FaultSite:
    """What fault tests do with a site; mixed into a TestCase with
    ``make_site``.

    :cvar shared: the site of a test that ended well is the next one's, with
        other projects; else each has its own
    """

    shared = False
    _spare: Site | None = None

    #: Notifications a second while daemons are being killed.
    rate = 150

    def make_site(self, folder: pathlib.Path) -> Site:
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.site = self._site()

    def _site(self) -> Site:
        """Return a site that runs, and see to it that it ends."""
        cls = type(self)
        site, cls._spare = cls._spare, None
        if site is None:
            folder = pathlib.Path(tempfile.mkdtemp())
            cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
            site = self.make_site(folder)
            cls.addClassCleanup(site.close)
            site.start()
        else:
            site.renew()
        self.addCleanup(lambda: cls._spare is site or site.close())
        return site

    def leave(self) -> None:
        """Say that the test ended well: another may have its site."""
        if self.shared:
            type(self)._spare = self.site

    def traffic(self, count: int, *options: str):
        """Start sending; return the process and its truth file."""
        truth = self.folder / "faults.truth"
        # What the operator gets would be another test's with the same seed.
        seed = SEED + zlib.crc32(self.id().encode())
        process = self.site.generate(truth, count, "--seed", str(seed),
                                     *options, wait=False)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, truth

    def stream(self):
        """Start sending without end; return when something was sent."""
        process, truth = self.traffic(10 ** 6, "--rate", str(self.rate))
        self.await_sent(truth)
        return process, truth

    def await_sent(self, truth: pathlib.Path) -> None:
        """Wait until as many more are sent as in two seconds."""
        def lines() -> int:
            return truth.read_bytes().count(b"\n") if truth.exists() else 0
        # A notification has two lines.
        wanted = lines() + 4 * self.rate
        wait_for("notifications are sent", lambda: lines() >= wanted, 180)

    def assert_balanced(self, truth: pathlib.Path,
                        seconds: float = 240) -> None:
        """All that was sent is stored once: nothing of it was bad."""
        self.site.await_api()
        report = self.site.settle(truth, seconds=seconds)
        self.assertTrue(report.ok, report.text())
        self.assertGreater(report.sent, self.rate)
        self.assertEqual([], self.site.dead_letters())
        print(f"{self.id()}: {report.text()}", flush=True)
        self.leave()

    def kill_in_mid_stream(self, name: str) -> None:
        """SIGKILL a daemon's worker KILLS times while events flow."""
        rng = random.Random(SEED)
        process, truth = self.stream()
        try:
            killed = 0
            while killed < KILLS:
                time.sleep(rng.uniform(0.3, 1.8))
                killed += self.site.daemons.kill_worker(
                    name, rng.randrange(8))
            self.assertIsNone(process.poll(), "the stream ended too early")
        finally:
            process.terminate()
            process.wait(60)
        self.assert_balanced(truth)

    def kill_everything(self) -> None:
        """SIGKILL all daemons with their masters, five times."""
        process, truth = self.stream()
        rng = random.Random(SEED)
        try:
            for _ in range(5):
                time.sleep(rng.uniform(1.0, 3.0))
                for name in ("agent", "api", "persister"):
                    self.site.daemons.kill(name)
                for name in ("api", "persister", "agent"):
                    self.site.daemons.start(name)
        finally:
            process.terminate()
            process.wait(60)
        self.assert_balanced(truth)


class FaultTests(FaultSite):
    """What our own daemons must survive on every site."""

    def test_the_agent_is_killed_in_mid_stream(self):
        # F1
        self.kill_in_mid_stream("agent")

    def test_an_api_worker_is_killed_in_mid_stream(self):
        # F2
        self.kill_in_mid_stream("api")

    def test_the_persister_is_killed_in_mid_stream(self):
        # F3
        self.kill_in_mid_stream("persister")

    def test_everything_is_killed_at_once_and_started_again(self):
        # F24
        self.kill_everything()

    def test_the_api_is_down_while_many_notifications_arrive(self):
        # F11, M15, D20
        self.assertEqual(0, self.site.daemons.stop("api"))
        process, truth = self.traffic(OUTAGE)
        self.assertEqual(0, process.wait(600))
        self.site.daemons.start("api")
        self.site.await_api()
        self.assert_balanced(truth, seconds=600)

    def test_a_rolling_restart_loses_nothing_and_exits_well(self):
        # F22
        process, truth = self.stream()
        try:
            for name in ("agent", "persister", "api"):
                time.sleep(1.0)
                wait_for(f"{name} works",
                         lambda name=name: self.site.daemons.workers(name))
                time.sleep(0.5)
                self.assertEqual(0, self.site.daemons.stop(name),
                                 self.site.daemons.log(name)[-2000:])
                self.site.daemons.start(name)
        finally:
            process.terminate()
            process.wait(60)
        self.assert_balanced(truth)


def seen(site: Site, project: str, at_least: int) -> None:
    """Wait until a project has so many events."""
    wait_for(f"{project} has {at_least} events",
             lambda: site.count(project) >= at_least)
