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

"""An embedded service for tests: API, SQLite bus, persister, SQLite store.

Real drivers, real policies, real tokens; what runs in other processes in a
deployment runs in a thread here. Against a live service nothing is started:
then the environment names its address, tokens and projects.
"""

from collections.abc import Iterator, Mapping
import contextlib
import dataclasses
import datetime
import os
import sqlite3
import tempfile
import threading
import time
import unittest
import uuid

import httpx

from monasca_events_api import app
from monasca_events_api import identity
from monasca_events_api import options
from monasca_events_api.identity import local
from monasca_events_api.live import follower
from monasca_events_common import bus
from monasca_events_common import config
from monasca_events_common import database
from monasca_events_common import deadletters
from monasca_events_common import event
from monasca_events_common import store
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import secrets
from monasca_events_common.transformer import Transformer
from monasca_events_persister.writer import Writer

PREFIX = "MONASCA_EVENTS_TEST_"

#: Seconds that what is to succeed may take, however busy the machine is.
PATIENCE = 60.0

PROJECT = "a" + uuid.uuid4().hex[1:]
FOREIGN = "b" + uuid.uuid4().hex[1:]

_PERSONAS = {
    "READER": (PROJECT, ("reader",)),
    "MEMBER": (PROJECT, ("member", "reader")),
    "MANAGER": (PROJECT, ("manager", "member", "reader")),
    "ADMIN": ("c" + uuid.uuid4().hex[1:],
              ("admin", "manager", "member", "reader")),
    "SERVICE": ("d" + uuid.uuid4().hex[1:], ("service",)),
    "FOREIGN_MEMBER": (FOREIGN, ("member", "reader")),
    "NO_ROLE": (PROJECT, ("swiftoperator",)),
}

#: name → account. The tokens begin with a letter, for gabbi makes numbers of
#: what looks like one.
ACCOUNTS = {name: local.Account(
    name=name.lower(), token="t" + uuid.uuid4().hex,
    user_id="u" + uuid.uuid4().hex[1:], project_id=project_id,
    project_name=project_id[:8], roles=roles)
    for name, (project_id, roles) in _PERSONAS.items()}


def is_live() -> bool:
    """Return whether the tests go against a running service."""
    return bool(os.environ.get(PREFIX + "URL"))


def set_environment() -> None:
    """Tell the YAML files tokens, projects and a word of this run's own."""
    yesterday = app.utc_now() - datetime.timedelta(days=1)
    values = {"PROJECT": PROJECT, "FOREIGN_PROJECT": FOREIGN,
              "RUN": "r" + uuid.uuid4().hex[:12],
              "YESTERDAY": event.format_time(yesterday)}
    values.update({f"TOKEN_{name}": account.token
                   for name, account in ACCOUNTS.items()})
    for name, value in values.items():
        os.environ.setdefault(PREFIX + name, value)


class _Watcher(bus.Watcher):
    def assigned(self, partitions):
        """All partitions are ours."""

    def revoked(self, partitions):
        """Nobody takes them."""


def client(application=None, url: str | None = None) -> httpx.Client:
    """Return an HTTP client of an application, or of a live service."""
    if application is None:
        return httpx.Client(base_url=url or os.environ[PREFIX + "URL"],
                            timeout=PATIENCE)
    return httpx.Client(
        transport=httpx.WSGITransport(app=application),
        base_url="http://events.test")


def token(name: str) -> dict[str, str]:
    """Return the header of a persona."""
    return {"X-Auth-Token": os.environ[f"{PREFIX}TOKEN_{name}"]}


@dataclasses.dataclass
class Parts:
    """What a test may want to reach behind the API."""

    conf: object
    bus: bus.Bus
    store: store.Store
    identity: identity.Identity
    database: database.Database
    secrets: secrets.Secrets
    dead_letters: deadletters.DeadLetters
    live: follower.Follower
    folder: str


class Service:
    """The API with everything behind it, in a directory of its own.

    :ivar application: the WSGI application
    """

    def __init__(self, *, pump: bool = True,
                 settings: Mapping[str, str] | None = None,
                 **app_arguments) -> None:
        """:param pump: move what is posted into the store
        :param settings: group__option → value
        """
        self._folder = tempfile.TemporaryDirectory(prefix="monasca-events-")
        self.parts = make_parts(self._folder.name, **(settings or {}))
        self.application = make_application(self.parts, **app_arguments)
        self._stop = threading.Event()
        self._pump = threading.Thread(target=self._run, daemon=True)
        if pump:
            self.pump()

    def pump(self) -> None:
        """Begin to move what is posted into the store."""
        self._pump.start()

    def _run(self) -> None:
        handler = Writer(self.parts.store, Transformer(
            lambda: Catalog(self.parts.database)))
        ticked = 0.0
        subscription = self.parts.bus.subscribe(
            self.parts.conf.bus.topic, "persister", _Watcher())
        while not self._stop.is_set():
            if time.monotonic() - ticked >= handler.tick_every:
                ticked = time.monotonic()
                handler.tick(ticked, dict)
            batch = subscription.poll(1000, 0.02)
            if batch:
                handler.handle(batch)
                subscription.commit({one.partition: one.offset + 1
                                     for one in batch})
        subscription.close()

    def close(self) -> None:
        self._stop.set()
        if self._pump.ident:
            self._pump.join(10)
        self.parts.live.close()
        self.parts.bus.close()
        self.parts.store.close()
        self.parts.database.close()
        self.parts.dead_letters.close()
        self._folder.cleanup()


class ServiceCase(unittest.TestCase):
    """Tests of a service of this process, or of the live one.

    :cvar pump: whether what is posted goes into the store here
    :cvar service: None where the tests go against a live one
    """

    pump = True
    service: Service | None = None
    client: httpx.Client

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        set_environment()
        if not is_live():
            cls.service = Service(pump=cls.pump)
            cls.addClassCleanup(cls.service.close)
        cls.client = client(cls.service and cls.service.application)
        cls.addClassCleanup(cls.client.close)


def make_conf(folder: str, **overrides):
    """Return a configuration whose files lie in ``folder``.

    :param overrides: group__option=value
    """
    path = os.path.join(folder, "test.conf")
    groups: dict[str, dict] = {
        "sqlite_bus": {"path": f"{folder}/bus.db",
                       "publish_timeout": PATIENCE},
        "sqlite_store": {"path": f"{folder}/events.db",
                         "busy_timeout": PATIENCE,
                         "query_timeout": PATIENCE},
        "identity_local": {"tokens_file": f"{folder}/tokens.json"},
        "database": {"connection": f"sqlite:///{folder}/definitions.db"},
        "secrets": {"key_file": f"{folder}/secrets.key"},
        "dead_letters": {"connection": f"sqlite:///{folder}/dead.db"},
    }
    for name, value in overrides.items():
        group, _, option = name.partition("__")
        groups.setdefault(group, {})[option] = value
    with open(path, "w", encoding="utf-8") as file:
        for group, values in groups.items():
            file.write(f"[{group}]\n")
            for option, value in values.items():
                file.write(f"{option} = {value}\n")
    return config.load(["--config-file", path], "test",
                       [*options.OPTIONS, *options.KERNEL])


def make_parts(folder: str, **overrides) -> Parts:
    """Return bus, store and identity on files in ``folder``."""
    conf = make_conf(folder, **overrides)
    local.write(f"{folder}/tokens.json", list(ACCOUNTS.values()))
    events_bus = bus.get_bus(conf)
    events_database = database.get_database(conf)
    return Parts(conf, events_bus, store.get_store(conf),
                 identity.get_identity(conf), events_database,
                 secrets.get_secrets(conf, make=True),
                 deadletters.get_dead_letters(conf),
                 follower.get_follower(conf, events_bus, events_database),
                 folder)


@contextlib.contextmanager
def bus_away(conf) -> Iterator[None]:
    """Have another process hold the bus's file, and publishing soon give up.

    Afterwards publishing has all the time again.
    """
    other = sqlite3.connect(conf.sqlite_bus.path, isolation_level=None)
    with contextlib.closing(other):
        other.execute("BEGIN EXCLUSIVE")
        conf.set_override("publish_timeout", 0.2, group="sqlite_bus")
        yield
    conf.clear_override("publish_timeout", group="sqlite_bus")


def make_application(parts: Parts, **others):
    """Return the application of parts, some of them replaced by others."""
    return app.make_app(parts.conf, **{
        **{name: getattr(parts, name) for name in (
            "bus", "store", "identity", "database", "secrets",
            "dead_letters", "live")}, **others})


def value(name: str) -> str:
    """Return what the environment says under a name of ours."""
    return os.environ[PREFIX + name]
