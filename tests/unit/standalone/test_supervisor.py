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


"""Programs live and end together, however their parent ends."""

import contextlib
import io
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest

from monasca_events_standalone.supervisor import Supervisor
from tests.integration.daemons import wait_for

# Says that it runs, then does as told when it gets SIGTERM.
_OBEDIENT = "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done"
_STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that nobody buried does not."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


class TestSupervisor(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.logs = pathlib.Path(folder.name)
        self.supervisor = Supervisor(self.logs, grace=60)
        self.addCleanup(self.supervisor.stop)

    def start(self, name: str, script: str) -> None:
        self.supervisor.start(name, ["sh", "-c", script])
        wait_for(f"{name} is up", lambda: "up" in self.log(name))

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()

    def watch(self, now: float) -> str:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.supervisor.watch(now)
        return said.getvalue()

    def test_a_program_that_died_is_started_again_after_a_second(self):
        self.start("short", "echo up; exit 3")
        wait_for("it ended", lambda: self.supervisor.failed("short"))
        self.assertIn("short ended with 3", self.watch(100.0))
        self.assertEqual("", self.watch(100.9))
        self.assertEqual("up\n", self.log("short"))
        self.watch(101.0)
        wait_for("it is up again",
                 lambda: self.log("short") == "up\nup\n")

    def test_what_runs_is_left_alone(self):
        self.start("good", _OBEDIENT)
        before = self.supervisor.pids()
        self.assertEqual("", self.watch(100.0) + self.watch(200.0))
        self.assertEqual(before, self.supervisor.pids())

    def test_a_killed_program_is_started_again(self):
        self.start("good", _OBEDIENT)
        self.start("other", _OBEDIENT)
        before = dict(self.supervisor.pids())
        self.supervisor._running["good"].kill()
        wait_for("it is gone", lambda: self.supervisor.failed("good"))
        self.watch(100.0)
        self.watch(101.0)
        after = self.supervisor.pids()
        self.assertNotEqual(before["good"], after["good"])
        self.assertEqual(before["other"], after["other"])

    def test_stop_ends_all_and_says_that_all_went_well(self):
        self.start("one", _OBEDIENT)
        self.start("two", _OBEDIENT)
        pids = self.supervisor.pids().values()
        self.assertEqual(0, self.supervisor.stop())
        self.assertEqual([], [pid for pid in pids if is_alive(pid)])
        self.assertEqual({}, self.supervisor.pids())

    def test_one_that_has_hardly_begun_ends_well_too(self):
        self.start("young", "echo up; sleep 60")
        self.assertEqual(0, self.supervisor.stop())

    def test_what_does_not_obey_is_killed_and_told(self):
        self.supervisor = Supervisor(self.logs, grace=0)
        self.start("good", _OBEDIENT)
        self.start("stubborn", _STUBBORN)
        self.assertEqual(1, self.supervisor.stop())
        self.assertEqual({}, self.supervisor.pids())

    def test_logs_are_private_and_appended_to(self):
        (self.logs / "good.log").write_text("before\n")
        self.start("fresh", "echo up")
        self.start("good", "echo up")
        self.assertEqual("before\nup\n", self.log("good"))
        self.assertEqual(0o600, stat.S_IMODE(
            (self.logs / "fresh.log").stat().st_mode))

    def test_programs_end_when_their_parent_is_killed(self):
        parent = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(f"""\
                import pathlib, time
                from monasca_events_standalone.supervisor import Supervisor
                one = Supervisor(pathlib.Path({str(self.logs)!r}))
                for name in ("a", "b"):
                    one.start(name, ["sleep", "1000"])
                print(*one.pids().values(), flush=True)
                time.sleep(1000)
                """)], stdout=subprocess.PIPE, text=True)
        self.addCleanup(parent.stdout.close)
        pids = [int(one) for one in parent.stdout.readline().split()]
        self.assertEqual([True, True], [is_alive(pid) for pid in pids])
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_for("both are gone", lambda: not any(map(is_alive, pids)))
