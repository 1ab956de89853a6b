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

"""What the harness has of systemctl: units that are files of a directory.

    systemctl.py start|stop|restart|enable|disable [--now] UNIT...
    systemctl.py is-active|is-enabled [--quiet] UNIT
    systemctl.py daemon-reload

UNITS names the directory of units, LOGS that of what they print. A unit with
ExecStart is a process of its own, of which stopping tells the first one only
(KillMode=process), and which has started when it says so (Type=notify); one
without is a server of somebody else's, whose PIDFile says where it is, and
restarting it is SIGHUP.
"""

import configparser
import contextlib
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time

#: Seconds that a unit may take to end.
GRACE = 60

#: Seconds that a unit may take to be ready.
START = 180

# What a unit finds in its environment, and no more.
_INHERITED = ("PATH", "HOME")


class Unit:
    """One unit of the directory."""

    def __init__(self, name: str) -> None:
        if not name.endswith(".service"):
            name += ".service"
        folder = pathlib.Path(os.environ["UNITS"])
        self.name = name
        self._file = folder / name
        self._link = folder / f"{name}.enabled"
        self._log = pathlib.Path(os.environ["LOGS"]) / f"{name}.log"
        parsed = configparser.RawConfigParser()
        parsed.optionxform = str  # type: ignore[assignment,method-assign]
        parsed.read(self._file)
        self._service = dict(parsed["Service"]) if "Service" in parsed else {}
        self._pid_file = pathlib.Path(self._service.get(
            "PIDFile", folder / f"{name}.pid"))

    def pid(self) -> int | None:
        """Return the first process of a unit that runs."""
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if alive(pid) else None

    def start(self) -> bool:
        if self.pid() is not None:
            return True
        with (tempfile.TemporaryDirectory() as folder,
              socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told):
            environment = {name: os.environ[name] for name in _INHERITED}
            says = self._service.get("Type") == "notify"
            if says:
                environment["NOTIFY_SOCKET"] = f"{folder}/notify"
                told.bind(environment["NOTIFY_SOCKET"])
            process = self._execute(environment)
            self._pid_file.write_text(str(process.pid))
            done = ready(process, told) if says else True
        # Not waited for: this command ends, the unit goes on.
        process.returncode = 0
        return done

    def _execute(self, environment: dict[str, str]) -> subprocess.Popen:
        with open(self._log, "ab") as log:
            return subprocess.Popen(
                shlex.split(self._service["ExecStart"]), stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, cwd="/",
                start_new_session=True, env=environment)

    def stop(self) -> bool:
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            ended(lambda: alive(pid))
        self._pid_file.unlink(missing_ok=True)
        return True

    def restart(self) -> bool:
        if "ExecStart" in self._service:
            return self.stop() and self.start()
        pid = self.pid()
        before = children(pid)
        os.kill(pid, signal.SIGHUP)
        # Until the last worker of the old configuration is gone.
        ended(lambda: any(map(alive, before)))
        return True

    def enable(self) -> bool:
        self._link.touch()
        return True

    def disable(self) -> bool:
        self._link.unlink(missing_ok=True)
        return True

    def is_active(self) -> bool:
        return self.pid() is not None

    def is_enabled(self) -> bool:
        return self._link.exists()


def alive(pid: int) -> bool:
    """Whether a process runs, rather than having ended unnoticed."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found: list[int] = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        # A thread may end between being listed and being looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, path.read_text().split())
    return found


def ready(process: subprocess.Popen, told: socket.socket) -> bool:
    """Return once a unit says that it is ready; False where it has ended."""
    told.settimeout(0.1)
    deadline = time.monotonic() + START
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"systemctl.py: it was not ready in {START} s")
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in told.recv(4096).split(b"\n"):
                return True
    return False


def ended(runs) -> None:
    """Return once something does not run any more."""
    deadline = time.monotonic() + GRACE
    while runs():
        if time.monotonic() > deadline:
            raise SystemExit(f"systemctl.py: it did not end in {GRACE} s")
        time.sleep(0.05)


def main(verb: str, *words: str) -> int:
    if verb == "daemon-reload":  # unit files are read each time
        return 0
    units = [Unit(word) for word in words if not word.startswith("--")]
    done = all([getattr(unit, verb.replace("-", "_"))() for unit in units])
    if verb == "enable" and "--now" in words:
        done = all([unit.start() for unit in units])
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
