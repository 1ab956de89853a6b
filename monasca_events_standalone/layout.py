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

"""Where a standalone installation keeps what, and its configuration file."""

import fcntl
import os
import pathlib
from typing import BinaryIO

TEMPLATE = """\
# Written by monasca-events-standalone at each start; put what you want to
# change into monasca-events-local.conf beside it, which is read after it.
[DEFAULT]
use_stderr = true

[bus]
driver = sqlite
[sqlite_bus]
path = {state}/bus.db

[store]
driver = sqlite
[sqlite_store]
path = {state}/events.db

[database]
connection = sqlite:///{state}/definitions.db
[secrets]
key_file = {state}/secrets.key

[dead_letters]
connection = sqlite:///{state}/dead-letters.db

[api]
host = 127.0.0.1
port = {port}
replay_stages = agent, poster, persister, engine

[metrics]
ports = {metrics}

[identity]
driver = local
[identity_local]
tokens_file = {state}/tokens.json
clouds_file = {state}/clouds.yaml

[agent]
sources = file
definitions_files =
operator_project_id = {operator}

[file]
paths = {state}/notifications.ndjson
follow = true

[spool]
path = {state}/spool/spool.db

[poster]
endpoints = http://127.0.0.1:{port}

[api_auth]
auth_type = admin_token
endpoint = http://127.0.0.1:{port}
token = {token}

[persister]
batch_wait = 0.05

[engine]
operator_project_id = {operator}
"""


# Characters that mean something where the path is written to: oslo.config's
# substitution and lists, SQLAlchemy's URLs, lines.
_ODD = frozenset("$,?#%'\"\n\r")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Layout:
    """The files of one state directory.

    :ivar root: the directory itself, mode 0700
    """

    def __init__(self, root: pathlib.Path, port: int) -> None:
        self.root = root
        self.port = port
        self.config = root / "monasca-events.conf"
        self.local_config = root / "monasca-events-local.conf"
        self.tokens = root / "tokens.json"
        self.clouds = root / "clouds.yaml"
        self.notifications = root / "notifications.ndjson"
        self.logs = root / "log"
        self._lock: BinaryIO | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def metrics_ports(self) -> dict[str, int]:
        """Return service → first port of its metrics, next to the API's."""
        return {"api": self.port + 1, "persister": self.port + 2,
                "engine": self.port + 3, "agent": self.port + 4}

    def metrics_of(self, name: str) -> list[int]:
        """Return a service's ports of metrics: one for each process."""
        first = self.metrics_ports[name]
        return [first, first + 1] if name == "agent" else [first]

    def prepare(self) -> None:
        """Make the directories and what is read from outside.

        :raises ValueError: the path would not survive the configuration
        :raises OSError: it cannot be made
        """
        odd = sorted(set(str(self.root)) & _ODD)
        if odd:
            raise ValueError(f"{str(self.root)!r} contains {odd[0]!r}")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        (self.root / "spool").mkdir(mode=0o700, exist_ok=True)
        self.notifications.touch(mode=0o600)
        self.local_config.touch(mode=0o600)

    def lock(self) -> None:
        """Keep others out until ``unlock`` or this process's end.

        :raises BlockingIOError: another one is in
        """
        self._lock = open(self.root / "lock", "wb", opener=_private)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.unlock()
            raise

    def unlock(self) -> None:
        """Let others in."""
        if self._lock is not None:
            self._lock.close()

    def configure(self, token: str = "", operator: str = "") -> None:
        """Write the configuration file, whole or not at all.

        :param token: the service's token, with which the agent posts
        :param operator: the operator's project, for events without a tenant
        """
        text = TEMPLATE.format(
            state=self.root, port=self.port, token=token, operator=operator,
            metrics=",".join(f"{name}:{port}" for name, port
                             in self.metrics_ports.items()))
        new = self.config.with_suffix(".new")
        with open(new, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)
        new.replace(self.config)
