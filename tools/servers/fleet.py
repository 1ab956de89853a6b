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

"""The servers of one state directory, and what can be done to them.

Called by the command line; never prints the answer itself.  Each method
works on one server under that server's lock, so that two commands at once
wait for each other per server and not altogether.
"""

import contextlib
import pathlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from servers import HOST, Failed, Instance, NotReady, Server
from servers import locks
from servers import ports
from servers import processes
from servers import progress
from servers import records


class Fleet:
    """The instances under `state`, of the kinds in `servers`."""

    def __init__(self, servers: Mapping[str, Server], state: pathlib.Path,
                 cache: pathlib.Path) -> None:
        self._servers = servers
        self._state = state
        self._cache = cache

    def fetch(self, name: str) -> None:
        self._servers[name].fetch(self._cache)

    def begin(self, name: str, given: Mapping[str, str]) -> None:
        """Return when the server's processes run as they should be set.

        Starts it again if it runs with other settings.  Raises Failed or
        Missing; whether it does any work is for `await_ready` to say.
        """
        with self._locked(name):
            record = self._recorded(name)
            # One that is down lives on in half: put all of it down first.
            if record.state == "broken":
                self._end(name, record)
            self._resume(record)
            chosen, wanted = self._wanted(name, record, given)
            if record.state == "running":
                if _agrees(record, chosen, wanted):
                    return
                progress.say(f"{name}: starting again, its settings changed")
                self._end(name, record)
            record.chosen, record.applied = chosen, wanted
            self._launch(name, record)

    def await_ready(self, name: str) -> None:
        """Return when the server answers; raise Failed if it does not."""
        server = self._servers[name]
        deadline = time.monotonic() + server.ready_seconds
        while True:
            record = self._record(name)
            instance = self._instance(name, record)
            said = self._probe(server, instance)
            if said is None:
                return
            if record.state != "running":
                raise Failed(f"{name} ended while starting: "
                             f"{_last_line(instance.log())}; see "
                             f"{instance.log()}")
            if time.monotonic() > deadline:
                raise Failed(
                    f"{name} is not ready after {server.ready_seconds:.0f} "
                    f"s: {said}; see {instance.log()}")
            time.sleep(0.1)

    def down(self, name: str) -> None:
        with self._locked(name):
            if record := self._found(name):
                self._end(name, record)

    def kill(self, name: str) -> None:
        with self._locked(name):
            record = self._record(name)
            for process in reversed(record.processes):
                processes.kill(process)
            record.processes = []
            records.save(self._directory(name), record)

    def pause(self, name: str) -> None:
        with self._locked(name):
            for process in self._running(name).processes:
                processes.pause(process)

    def resume(self, name: str) -> None:
        with self._locked(name):
            self._resume(self._running(name))

    def wipe(self, name: str) -> None:
        with self._locked(name):
            if record := self._found(name):
                self._end(name, record)
            if self._directory(name).exists():
                shutil.rmtree(self._directory(name))

    def known(self) -> list[str]:
        """Return the names of what has a record here, in a fixed order."""
        return [name for name in self._servers if self._found(name)]

    def describe(self, name: str) -> dict[str, Any]:
        """Return all that a client or a person may want to know."""
        record = self._record(name)
        instance = self._instance(name, record)
        pids = [process.pid for process in record.processes
                if processes.alive(process)]
        return {"host": HOST, "port": record.ports.get("client"),
                "pid": pids[-1] if pids else None,
                "log": str(instance.log()), "state": record.state,
                "pids": pids, "ports": record.ports,
                "directory": str(instance.directory),
                "settings": record.applied,
                **self._servers[name].describe(instance)}

    def _launch(self, name: str, record: records.Record) -> None:
        server, directory = self._servers[name], self._directory(name)
        instance = self._instance(name, record)
        for role, port in record.ports.items():
            if not ports.is_free(port):
                raise Failed(f"{name}: its {role} port {port} is taken by "
                             f"another process: end that, or servers wipe "
                             f"{name} to choose another")
        server.prepare(instance)
        record.processes = []
        mark = secrets.token_hex(8)
        launches = server.launches(instance)
        if launches:
            progress.say(f"{name}: starting")
        for launch in launches:
            record.processes.append(processes.start(
                launch, instance.log(launch.name), directory, mark))
            # At once after each: what was started must never be forgotten.
            records.save(directory, record)

    def _end(self, name: str, record: records.Record) -> None:
        seconds = self._servers[name].stop_seconds
        for process in reversed(record.processes):
            if not processes.stop(process, seconds):
                progress.say(f"{name}: did not end in {seconds:.0f} s, "
                             "killed")
        record.processes = []
        records.save(self._directory(name), record)

    def _wanted(self, name: str, record: records.Record,
                given: Mapping[str, str]
                ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the settings chosen by hand, and all there are to be."""
        chosen = {key: value for key, value
                  in {**record.chosen, **given}.items() if value}
        peers = {peer: self.describe(peer)
                 for peer in (*self._servers[name].needs,
                              *self._servers[name].after)
                 if (found := self._found(peer))
                 and found.state == "running"}
        for needed in self._servers[name].needs:
            if needed not in peers:
                raise Failed(f"{name} needs {needed}: servers up {needed}")
        return chosen, {**self._servers[name].defaults(peers), **chosen}

    def _probe(self, server: Server, instance: Instance) -> str | None:
        try:
            server.probe(instance)
        except (NotReady, OSError) as error:
            return str(error)
        return None

    def _resume(self, record: records.Record) -> None:
        for process in record.processes:
            processes.resume(process)

    def _recorded(self, name: str) -> records.Record:
        """Return the record of `name`, made now if this is its first time."""
        if record := self._found(name):
            return record
        directory = self._directory(name)
        directory.mkdir(parents=True, exist_ok=True)
        chosen = ports.reserve(self._cache / "ports.json", directory,
                               self._servers[name].port_names)
        record = records.Record(chosen, secrets.token_hex(12))
        records.save(directory, record)
        return record

    def _running(self, name: str) -> records.Record:
        record = self._record(name)
        if record.state == "stopped":
            raise Failed(f"{name} is not running: servers up {name}")
        return record

    def _record(self, name: str) -> records.Record:
        if record := self._found(name):
            return record
        raise Failed(f"{name} was never started here: servers up {name}")

    def _found(self, name: str) -> records.Record | None:
        return records.load(self._directory(name))

    def _instance(self, name: str, record: records.Record) -> Instance:
        return Instance(name, self._directory(name), self._cache,
                        record.ports, record.applied, record.secret)

    def _directory(self, name: str) -> pathlib.Path:
        return self._state / name

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with locks.held(self._state / f"{name}.lock", lambda: progress.say(
                f"{name}: waiting for another command to finish with it")):
            yield


def _agrees(record: records.Record, chosen: Mapping[str, str],
            wanted: Mapping[str, str]) -> bool:
    """Return whether what runs may go on as it is.

    A default that is gone, because a peer went down, is no reason to start
    again: tests take peers down on purpose.
    """
    return record.chosen == chosen and all(
        record.applied.get(key) == value for key, value in wanted.items())


def _last_line(log: pathlib.Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    return lines[-1][:200] if lines else "it said nothing"
