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

"""What is known of an instance between two commands, as a file."""

import dataclasses
import json
import os
import pathlib

from servers.processes import Process, alive, from_record, members, paused


@dataclasses.dataclass
class Record:
    """One instance on disk.

    `chosen` are the settings that were given by hand; `applied` are those it
    was last started with, which follow from its peers as well.
    """

    ports: dict[str, int]
    secret: str
    chosen: dict[str, str] = dataclasses.field(default_factory=dict)
    applied: dict[str, str] = dataclasses.field(default_factory=dict)
    processes: list[Process] = dataclasses.field(
        default_factory=list)

    @property
    def state(self) -> str:
        """Return `running` only if every process of the instance does."""
        living = [alive(process) for process in self.processes]
        if any(paused(process) for process in self.processes):
            return "paused"
        if living and all(living):
            return "running"
        # A child may live on without the process that was started.
        if any(living) or any(map(members, self.processes)):
            return "broken"
        return "stopped"


def load(directory: pathlib.Path) -> Record | None:
    """Return the record kept in `directory`, None if there is none."""
    try:
        raw = json.loads((directory / "record.json").read_text())
    except FileNotFoundError:
        return None
    raw["processes"] = [from_record(process)
                        for process in raw["processes"]]
    return Record(**raw)


def save(directory: pathlib.Path, record: Record) -> None:
    """Write the record so that a reader sees the old or the new one."""
    new = directory / "record.json.new"
    new.touch(mode=0o600)
    new.write_text(json.dumps(dataclasses.asdict(record), indent=1))
    os.replace(new, directory / "record.json")
