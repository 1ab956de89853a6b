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

"""Keystone: the identity service in a virtual environment of its own.

Creating its database takes long, so it is created once in the cache, with
the keys that belong to it, and copied for each state directory.
"""

import contextlib
import os
import pathlib
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Instance, Launch, NotReady, Server
from servers import catalog
from servers import ini
from servers import probes
from servers import progress
from servers import sources
from servers import tasks
from servers import wsgi

VERSION = "30.0.0"
_REQUIREMENTS = (f"keystone=={VERSION}", wsgi.GUNICORN)
_ADMIN = "admin"
_PASSWORD = "secret"  # noqa: S105 it guards nothing but test data
_PROJECT = "admin"
_DOMAIN = "Default"
_REGION = "RegionOne"
# Short names for what tests set most; anything else is SECTION.KEY.
_SHORT = {
    "transport_url": ("oslo_messaging_notifications", "transport_url"),
    "notification_topics": ("oslo_messaging_notifications", "topics"),
    "notification_format": ("DEFAULT", "notification_format"),
    "amqp_durable_queues": ("oslo_messaging_rabbit", "amqp_durable_queues"),
}


class Keystone(Server):
    """Settings are `_SHORT` names, or SECTION.KEY of keystone.conf."""

    name = "keystone"
    after = ("rabbitmq",)

    def fetch(self, cache: pathlib.Path) -> None:
        sources.virtualenv(_environment(cache), _REQUIREMENTS)
        _seed(cache)

    def defaults(self, peers: Mapping[str, Mapping[str, Any]]
                 ) -> dict[str, str]:
        if "rabbitmq" not in peers:
            return {}
        return {"transport_url": peers["rabbitmq"]["transport_url"],
                "notification_topics": "notifications,event_notifications"}

    def prepare(self, instance: Instance) -> None:
        home = instance.directory
        if not (home / "keystone.db").exists():
            _copy_seed(instance)
        (home / "keystone.conf").write_text(render(home, instance.settings))
        wsgi.write(instance, "from keystone.wsgi.api import application", [
            "keystone", "--config-file", str(home / "keystone.conf")])

    def launches(self, instance: Instance) -> Sequence[Launch]:
        return [wsgi.launch(instance, _environment(instance.cache))]

    def probe(self, instance: Instance) -> None:
        status, _version = probes.http_answer(instance.port, "GET", "/v3")
        if status != 200:
            raise NotReady(f"GET /v3 says {status}")
        status, answer = probes.http_answer(
            instance.port, "POST", "/v3/auth/tokens",
            catalog.token_request(self.describe(instance)), timeout=15)
        if status != 201:
            raise NotReady(f"no token is issued: {status} {answer}")

    def describe(self, instance: Instance) -> dict[str, Any]:
        url = _url(instance.port)
        return {"url": url, "auth_url": url, "username": _ADMIN,
                "password": _PASSWORD, "project_name": _PROJECT,
                "user_domain_name": _DOMAIN, "project_domain_name": _DOMAIN,
                "user_domain_id": "default", "project_domain_id": "default",
                "region_name": _REGION,
                "notifications": notifications(instance.settings)}


def render(home: pathlib.Path, settings: Mapping[str, str]) -> str:
    """Return keystone.conf for the database and keys in `home`."""
    return ini.render("keystone", {
        "DEFAULT.use_stderr": "true",
        "database.connection": f"sqlite:///{home}/keystone.db",
        "fernet_tokens.key_repository": f"{home}/fernet-keys",
        # Left alone, it writes these to /etc.
        "fernet_receipts.key_repository": f"{home}/receipt-keys",
        "credential.key_repository": f"{home}/credential-keys",
        "token.provider": "fernet",
        # What was revoked or changed must show at once in a test.
        "cache.enabled": "false",
        # The cheapest hash there is: these passwords protect nothing.
        "identity.password_hash_rounds": "4",
        **_notification_options(settings), **settings}, _SHORT)


def notifications(settings: Mapping[str, str]) -> dict[str, str] | None:
    """Return where notifications go and how, None when they are off."""
    if not settings.get("transport_url"):
        return None
    return {"transport_url": settings["transport_url"],
            "topics": settings.get("notification_topics", "notifications"),
            "format": settings.get("notification_format", "cadf")}


def _notification_options(settings: Mapping[str, str]) -> dict[str, str]:
    if not settings.get("transport_url"):
        return {"oslo_messaging_notifications.driver": "noop"}
    return {
        "oslo_messaging_notifications.driver": "messagingv2",
        "DEFAULT.notification_format": "cadf",
        # The publisher must declare exchange and queues as the listener
        # does, else the broker refuses whoever comes second.
        "oslo_messaging_rabbit.amqp_durable_queues": "true"}


def _environment(cache: pathlib.Path) -> pathlib.Path:
    return cache / f"keystone-{VERSION}"


def _seed_directory(cache: pathlib.Path) -> pathlib.Path:
    return cache / f"keystone-{VERSION}-seed"


def _seed(cache: pathlib.Path) -> None:
    """Create database, keys, administrator and catalog, once."""
    seed = _seed_directory(cache)
    content = render(seed, {})
    with sources.filling(seed, content) as todo:
        if not todo:
            return
        progress.say("creating the database of keystone")
        config = seed / "keystone.conf"
        config.write_text(content)
        keys = ("--keystone-user", str(os.geteuid()),
                "--keystone-group", str(os.getegid()))
        for arguments in (
                ("db_sync",), ("fernet_setup", *keys),
                ("credential_setup", *keys),
                ("bootstrap", "--bootstrap-username", _ADMIN,
                 "--bootstrap-password", _PASSWORD,
                 "--bootstrap-project-name", _PROJECT,
                 "--bootstrap-region-id", _REGION,
                 "--bootstrap-public-url", _url(0))):
            _manage(cache, config, arguments)


def _manage(cache: pathlib.Path, config: pathlib.Path,
            arguments: Sequence[str]) -> None:
    tasks.run(f"keystone-manage {arguments[0]}", [
        str(_environment(cache) / "bin/keystone-manage"),
        "--config-file", str(config), *arguments])


def _copy_seed(instance: Instance) -> None:
    seed, home = _seed_directory(instance.cache), instance.directory
    for keys in ("fernet-keys", "receipt-keys", "credential-keys"):
        shutil.copytree(seed / keys, home / keys, dirs_exist_ok=True)
    # Renamed into place last: it is what tells that the copy is whole.
    copy = home / "keystone.db.new"
    shutil.copy(seed / "keystone.db", copy)
    with contextlib.closing(sqlite3.connect(copy)) as database:
        # Readers do not block the writer, nor it them, in this mode.
        database.execute("PRAGMA journal_mode = WAL")
        with database:
            database.execute("UPDATE endpoint SET url = ?",
                             (_url(instance.port),))
    copy.rename(home / "keystone.db")


def _url(port: int) -> str:
    return f"http://{HOST}:{port}/v3"
