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

"""A Horizon with the panels in it, and what it shows: installations of ours.

One Keystone for all; its catalog has the site that was started last.
"""

from collections.abc import Mapping
import hashlib
import pathlib

from tests.integration import servers
from tests.integration.sites import Keystone
from tests.integration.sites import LiveSite
from tests.integration.sites import Site

ROOT = pathlib.Path(__file__).resolve().parents[2]


def up() -> Mapping:
    """Return what is told of a Horizon with this tree's panels."""
    # A setting that means nothing to it: one that runs with other files is
    # started again.
    return servers.up("horizon", settings=[
        f"horizon:plugins={ROOT}",
        f"horizon:MONASCA_EVENTS_TREE=t{_digest()}"])


def horizon() -> str:
    """Return the address of that Horizon."""
    return up()["url"].rstrip("/")


def _digest() -> str:
    found = hashlib.sha256()
    for package in ("monasca_events_client", "monasca_events_dashboard"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                found.update(f"{path}\0".encode() + path.read_bytes())
    return found.hexdigest()


class EmbeddedKeystoneSite(LiveSite):
    """SQLite files for all but identity, which is a real Keystone."""

    def start(self) -> None:
        self.servers = {"keystone": servers.up("keystone")}
        self.keystone = Keystone(self.servers["keystone"], self.name,
                                 self.url)
        self.projects = {"operator": self.keystone.project("operator")}
        self.renew()
        self.daemons.configure(self.configuration())
        self.daemons.start("api")
        self.await_api()
        self.daemons.start("persister")
        self.daemons.start("engine")

    def configuration(self) -> str:
        auth = self.servers["keystone"]
        user = self.keystone.user("service", self.projects["operator"],
                                  "service")
        return f"""
[DEFAULT]
use_stderr = true
[bus]
driver = sqlite
[sqlite_bus]
path = {self.folder}/bus.db
[store]
driver = sqlite
[sqlite_store]
path = {self.folder}/events.db
[dead_letters]
connection = {self.dead_url}
[database]
connection = sqlite:///{self.folder}/definitions.db
auto_upgrade = true
[secrets]
key_file = {self.folder}/secrets.key
[api]
port = {self.port}
[metrics]
ports =
[identity]
driver = keystone
[keystone_authtoken]
www_authenticate_uri = {auth["auth_url"]}
auth_url = {auth["auth_url"]}
auth_type = password
username = {user[0]}
password = {user[1]}
project_id = {self.projects["operator"]}
user_domain_id = default
interface = public
# Keystone may be busy.
token_cache_time = 300
http_connect_timeout = 60
http_request_max_retries = 3
[persister]
batch_wait = 0.05
{self._extra}
"""

    @property
    def dead_url(self) -> str:
        return f"sqlite:///{self.folder}/dead-letters.db"

    def metrics_ports(self) -> list[int]:
        return []

    def close(self) -> None:
        Site.close(self)
