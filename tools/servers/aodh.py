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

"""Aodh: the API of the alarming service, with its alarms in MariaDB.

Neither evaluator, listener nor notifier is started: alarms are kept, and
none ever fires.
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

VERSION = "23.0.0"
# An older setuptools, for some of its dependencies import pkg_resources.
_REQUIREMENTS = (f"aodh=={VERSION}", wsgi.GUNICORN, "PyMySQL==1.2.4",
                 "setuptools==80.9.0")


class Aodh(Server):
    """Settings are SECTION.KEY of aodh.conf."""

    name = "aodh"
    needs = ("mariadb", "keystone")

    def fetch(self, cache: pathlib.Path) -> None:
        sources.virtualenv(_environment(cache), _REQUIREMENTS)

    def defaults(self, peers: Mapping[str, Mapping[str, Any]]
                 ) -> dict[str, str]:
        return {"database.connection": mariadb.beside(peers, "aodh"),
                **catalog.options(peers["keystone"]),
                **catalog.options(peers["keystone"], "service_credentials")}

    def prepare(self, instance: Instance) -> None:
        # Part of it reads only the file in the place where it is looked for
        # by default, below HOME, whatever --config-file says.
        config = instance.directory / ".aodh/aodh.conf"
        config.parent.mkdir(exist_ok=True)
        config.touch(mode=0o600)
        config.write_text(ini.render(self.name, instance.settings, {}))
        wsgi.write(instance, "from aodh.wsgi.api import application",
                   ["aodh-api"])
        url = instance.settings["database.connection"]
        with mariadb.filling(instance, url) as todo:
            if todo:
                program = _environment(instance.cache) / "bin/aodh-dbsync"
                tasks.run("aodh-dbsync", [
                    str(program), "--config-file", str(config)])
        catalog.register(catalog.credentials(instance.settings), "alarming",
                         "aodh", _url(instance))

    def launches(self, instance: Instance) -> Sequence[Launch]:
        return [wsgi.launch(instance, _environment(instance.cache))]

    def probe(self, instance: Instance) -> None:
        try:
            token = catalog.token(catalog.credentials(instance.settings))
        except Failed as error:
            raise NotReady(str(error)) from error
        status, answer = probes.http_answer(
            instance.port, "GET", "/v2/alarms",
            headers={"X-Auth-Token": token}, timeout=15.0)
        if status != 200:
            raise NotReady(f"GET /v2/alarms says {status} {answer}")

    def describe(self, instance: Instance) -> dict[str, Any]:
        return {"url": _url(instance), "version": VERSION,
                "database": instance.settings.get("database.connection")}


def _environment(cache: pathlib.Path) -> pathlib.Path:
    return cache / f"aodh-{VERSION}"


def _url(instance: Instance) -> str:
    return f"http://{HOST}:{instance.port}"
