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

"""Gnocchi: its API, with the index in MariaDB and the measures in files.

Nothing processes measures by itself: who reads with `refresh=true` gets what
was sent before.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Failed, Instance, Launch, NotReady, Server
from servers import catalog
from servers import ini
from servers import mariadb
from servers import probes
from servers import sources
from servers import tasks
from servers import wsgi

VERSION = "4.7.1"
_REQUIREMENTS = (f"gnocchi[mysql,keystone]=={VERSION}", wsgi.GUNICORN,
                 "PyMySQL==1.2.4", "setuptools==80.9.0")
_SHORT = {"auth_mode": ("api", "auth_mode")}


class Gnocchi(Server):
    """Settings are `auth_mode` (basic or keystone), or SECTION.KEY."""

    name = "gnocchi"
    needs = ("mariadb",)
    after = ("keystone",)

    def fetch(self, cache: pathlib.Path) -> None:
        sources.virtualenv(_environment(cache), _REQUIREMENTS)

    def defaults(self, peers: Mapping[str, Mapping[str, Any]]
                 ) -> dict[str, str]:
        trusted = peers.get("keystone")
        return {"auth_mode": "basic",
                "indexer.url": mariadb.beside(peers, "gnocchi"),
                **(catalog.options(trusted) if trusted else {})}

    def prepare(self, instance: Instance) -> None:
        config = instance.directory / "gnocchi.conf"
        config.touch(mode=0o600)
        config.write_text(render(instance))
        wsgi.write(instance, "from gnocchi.rest.wsgi import application",
                   ["gnocchi-api", "--config-file", str(config)])
        with mariadb.filling(instance,
                             instance.settings["indexer.url"]) as todo:
            if todo:
                program = _environment(instance.cache) / "bin/gnocchi-upgrade"
                # With a database that it does not like it never ends.
                tasks.run("gnocchi-upgrade", [
                    str(program), "--config-file", str(config)],
                    seconds=180.0)
        if _trusts(instance):
            catalog.register(catalog.credentials(instance.settings),
                             "metric", "gnocchi", _url(instance))

    def launches(self, instance: Instance) -> Sequence[Launch]:
        return [wsgi.launch(instance, _environment(instance.cache))]

    def probe(self, instance: Instance) -> None:
        status, answer = probes.http_answer(
            instance.port, "GET", "/v1/archive_policy", timeout=15.0,
            headers=_headers(instance))
        if status != 200:
            raise NotReady(f"GET /v1/archive_policy says {status} {answer}")

    def describe(self, instance: Instance) -> dict[str, Any]:
        basic = {} if _trusts(instance) else {
            "username": "admin", "password": ""}
        return {"url": _url(instance), "version": VERSION, **basic,
                "auth_mode": instance.settings.get("auth_mode")}


def render(instance: Instance) -> str:
    """Return gnocchi.conf."""
    home = instance.directory
    if (_trusts(instance)
            and "keystone_authtoken.auth_url" not in instance.settings):
        raise Failed("gnocchi needs keystone with auth_mode=keystone: "
                     "servers up keystone")
    return ini.render("gnocchi", {
        "storage.driver": "file",
        "storage.file_basepath": f"{home}/measures",
        "DEFAULT.coordination_url": f"file://{home}/coordination",
        **instance.settings}, _SHORT)


def _trusts(instance: Instance) -> bool:
    return instance.settings.get("auth_mode") == "keystone"


def _headers(instance: Instance) -> dict[str, str]:
    if not _trusts(instance):
        # The user admin, and no password.
        return {"Authorization": "Basic YWRtaW46"}
    try:
        return {"X-Auth-Token": catalog.token(
            catalog.credentials(instance.settings))}
    except Failed as error:
        raise NotReady(str(error)) from error


def _environment(cache: pathlib.Path) -> pathlib.Path:
    return cache / f"gnocchi-{VERSION}"


def _url(instance: Instance) -> str:
    return f"http://{HOST}:{instance.port}"
