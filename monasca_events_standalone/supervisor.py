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

"""Starts programs, restarts those that die, ends them all together."""

from collections.abc import Mapping, Sequence
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import time

#: Seconds that a program may take to end after SIGTERM.
GRACE = 40
_PR_SET_PDEATHSIG = 1  # prctl(2)


def _die_with_parent() -> None:
    """Ask the kernel for SIGTERM when our parent goes, however it goes."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Supervisor:
    """A few processes that live and end together."""

    def __init__(self, logs: pathlib.Path, grace: float = GRACE) -> None:
        """:param logs: the directory for the programs' output
        :param grace: seconds that a program may take to end after SIGTERM
        """
        self._logs = logs
        self._grace = grace
        self._commands: dict[str, Sequence[str]] = {}
        self._running: dict[str, subprocess.Popen] = {}
        self._again_at: dict[str, float] = {}

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a program; its output is appended to NAME.log."""
        self._commands[name] = command
        self._spawn(name)

    def _spawn(self, name: str) -> None:
        with open(self._logs / f"{name}.log", "ab", opener=_private) as log:
            # A session of its own: Ctrl-C in the terminal reaches us only,
            # and we end the programs in order.
            self._running[name] = subprocess.Popen(
                self._commands[name], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=_die_with_parent)

    def pids(self) -> Mapping[str, int]:
        """Return name → process id of the programs that run."""
        return {name: one.pid for name, one in self._running.items()
                if one.poll() is None}

    def failed(self, name: str) -> int | None:
        """Return a program's exit status, or None while it runs."""
        return self._running[name].poll()

    def watch(self, now: float) -> None:
        """Start again, after a second, whatever ended."""
        for name, process in self._running.items():
            if process.poll() is None:
                self._again_at.pop(name, None)
            elif name not in self._again_at:
                print(f"{name} ended with {process.returncode}; it is "
                      f"started again (see {self._logs / name}.log)",
                      file=sys.stderr, flush=True)
                self._again_at[name] = now + 1.0
            elif now >= self._again_at[name]:
                del self._again_at[name]
                self._spawn(name)

    def stop(self) -> int:
        """End every program, newest first; return 0 when all ended well."""
        status = 0
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self._grace
        for process in self._running.values():
            try:
                code = process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            # One that SIGTERM met before it could listen has done nothing.
            status = status or int(code not in (0, -signal.SIGTERM))
        return status
