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

"""Start processes that outlive this tool, and find them again safely.

A process is recorded by pid, start time and boot, and leads a session of its
own.  A pid alone is never trusted: it may belong to a stranger by now.
"""

import dataclasses
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

from servers import Launch

MARK = "MONASCA_EVENTS_SERVER"
_PROC = pathlib.Path("/proc")
_INHERITED = ("PATH", "TZ", "JAVA_HOME")


@dataclasses.dataclass(frozen=True)
class Process:
    """A started process; `mark` is in the environment of all it started."""

    name: str
    pid: int
    started: int
    boot: str
    mark: str


@dataclasses.dataclass(frozen=True)
class _Stat:
    state: str
    session: int
    started: int


def start(launch: Launch, log: pathlib.Path, cwd: pathlib.Path, mark: str
          ) -> Process:
    """Start `launch` in a session of its own, its output appended to `log`."""
    with open(log, "ab") as output:
        child = subprocess.Popen(
            list(launch.argv), cwd=cwd, env=environment(launch, cwd, mark),
            stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True)
    # Not waited for on purpose; says so to the Popen destructor.
    child.returncode = 0
    stat = _stat(child.pid)
    return Process(launch.name, child.pid, stat.started if stat else 0,
                   _boot(), mark)


def environment(launch: Launch, cwd: pathlib.Path, mark: str
                ) -> dict[str, str]:
    """Return the whole environment a launched process gets."""
    inherited = {key: os.environ[key]
                 for key in _INHERITED if key in os.environ}
    return {"HOME": str(cwd), "LANG": "C.UTF-8", **inherited, **launch.env,
            MARK: mark}


def alive(process: Process) -> bool:
    """Return whether the very process that was started still runs."""
    stat = _stat(process.pid)
    return (stat is not None and stat.state not in "ZX"
            and stat.started == process.started
            and process.boot == _boot())


def paused(process: Process) -> bool:
    stat = _stat(process.pid)
    return alive(process) and stat is not None and stat.state in "Tt"


def members(process: Process) -> list[int]:
    """Return the living pids of the session that `process` leads.

    When the leader is gone, its number may be in use again: then only those
    count that carry the mark of this start in their environment.
    """
    if process.boot != _boot():
        return []
    trusted = alive(process)
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        stat = _stat(pid)
        if (stat is not None and stat.session == process.pid
                and stat.state not in "ZX"
                and (trusted or _marked(pid, process.mark))):
            found.append(pid)
    return found


def stop(process: Process, seconds: float) -> bool:
    """Ask politely, then kill; return whether asking was enough."""
    _signal(members(process), signal.SIGCONT)
    if alive(process):
        _signal([process.pid], signal.SIGTERM)
    else:
        _signal(members(process), signal.SIGTERM)
    if _gone(process, seconds):
        return True
    kill(process)
    return False


def kill(process: Process) -> None:
    """Return once nothing of the session lives any more."""
    while pids := members(process):
        _signal(pids, signal.SIGKILL)
        time.sleep(0.02)


def pause(process: Process) -> None:
    """Return once the whole session stands still."""
    _signal(members(process), signal.SIGSTOP)
    _settled(process, lambda state: state in "Tt")


def resume(process: Process) -> None:
    """Return once nothing of the session stands still."""
    _signal(members(process), signal.SIGCONT)
    _settled(process, lambda state: state not in "Tt")


def from_record(record: Mapping[str, object]) -> Process:
    return Process(**record)  # type: ignore[arg-type]


def _gone(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while members(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _settled(process: Process, wanted: Callable[[str], bool]) -> None:
    # A signal is delivered when its receiver is next scheduled; a few
    # seconds are plenty, and one that sleeps in the kernel is let be.
    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline:
        stats = [_stat(pid) for pid in members(process)]
        if all(wanted(stat.state) for stat in stats if stat):
            return
        time.sleep(0.01)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets and may itself hold
    # blanks and brackets: what is wanted stands after the last one.
    fields = text.rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[3]), int(fields[19]))


def _marked(pid: int, mark: str) -> bool:
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{MARK}={mark}".encode() in variables


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
