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

"""The suite's own daemons as processes that a test starts and kills."""

import os
import pathlib
import signal
import subprocess
import sys
import time

#: Seconds that a daemon may take to end after SIGTERM.
GRACE = 45


def program(name: str) -> str:
    """Return a console script of the environment that runs the tests."""
    return str(pathlib.Path(sys.executable).parent / name)


def children(pid: int) -> list[int]:
    """Return the processes that a process started (Linux).

    Each thread has its own: cotyledon forks from a thread.
    """
    found: list[int] = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(one) for one in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Daemons:
    """Daemons that share a configuration file."""

    def __init__(self, folder: pathlib.Path) -> None:
        """:param folder: for the configuration and the logs"""
        self.folder = folder
        self.config = folder / "monasca-events.conf"
        self._running: dict[str, subprocess.Popen] = {}

    def configure(self, text: str) -> None:
        self.config.write_text(text)
        self.config.chmod(0o600)

    def start(self, name: str, role: str | None = None,
              **environment: str) -> None:
        """Start ``monasca-events-ROLE``; ``name`` tells several apart."""
        with open(self.folder / f"{name}.log", "ab") as log:
            self._running[name] = subprocess.Popen(
                [program(f"monasca-events-{role or name}"), "--config-file",
                 str(self.config)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **environment})

    def runs(self, name: str) -> bool:
        """Whether it was started and not stopped since."""
        return name in self._running

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def workers(self, name: str) -> list[int]:
        """Return the worker processes of a daemon."""
        return children(self._running[name].pid)

    def kill_worker(self, name: str, choice: int = 0) -> bool:
        """SIGKILL a worker; its master replaces it. False if none is up."""
        workers = self.workers(name)
        if not workers:
            return False
        try:
            os.kill(workers[choice % len(workers)], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def kill(self, name: str) -> None:
        """SIGKILL the daemon with its workers, as a crash of the host."""
        process = self._running.pop(name)
        for pid in [process.pid, *children(process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()

    def stop(self, name: str) -> int:
        """SIGTERM; return the exit status."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def signal(self, name: str, number: int) -> None:
        os.kill(self._running[name].pid, number)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        """End everything, newest first, without waiting for long."""
        for name in reversed(list(self._running)):
            try:
                self.stop(name)
            except subprocess.TimeoutExpired:
                pass

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run one of the suite's commands to its end."""
        return subprocess.run(
            [program(f"monasca-events-{name}"), "--config-file",
             str(self.config), *arguments], capture_output=True, text=True,
            timeout=300, check=False)


class NotYet(AssertionError):
    """What was asked cannot be told just now; it may be in a moment."""


class Unavailable(NotYet):
    """The API answered 503: a client would ask again."""


def wait_for(what: str, done, seconds: float = 60.0, every: float = 0.1):
    """Return what ``done()`` returns once it is true; fail after a while.

    Where it raises :class:`NotYet` it is asked again.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = done()
        except NotYet:
            if time.monotonic() > deadline:
                raise
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
