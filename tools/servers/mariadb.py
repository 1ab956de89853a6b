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

"""MariaDB: an ordinary process with a data directory of its own."""

import contextlib
import hashlib
import os
import pathlib
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from servers import HOST, Instance, Launch, Server
from servers import probes
from servers import sources
from servers import tasks

_SERVER = "/usr/sbin/mariadbd"
_CLIENT = "/usr/bin/mariadb"
_INSTALL = "/usr/bin/mariadb-install-db"
_USER = "monasca_events"
_DATABASE = "monasca_events"
# The kernel takes 107 characters; the server appends nothing to the path.
_LONGEST_SOCKET = 100


class Mariadb(Server):
    """Settings are lines of the [mariadbd] section of my.cnf."""

    name = "mariadb"

    def fetch(self, cache: pathlib.Path) -> None:
        sources.debian("mariadb-server", _SERVER)

    def prepare(self, instance: Instance) -> None:
        home = instance.directory
        (home / "tmp").mkdir(exist_ok=True)
        (home / "my.cnf").write_text(render(instance))
        (home / "users.sql").write_text(render_users(instance))
        client = home / "client.cnf"
        client.touch(mode=0o600)
        client.write_text(render_client(instance))
        # The mark comes last: a first start that was cut off begins anew.
        if not (home / "created").exists():
            _create_data(instance)
            (home / "created").touch()

    def launches(self, instance: Instance) -> Sequence[Launch]:
        return [Launch("mariadb", [
            _SERVER, f'--defaults-file={instance.directory / "my.cnf"}',
            *_user_option()])]

    def probe(self, instance: Instance) -> None:
        client = instance.directory / "client.cnf"
        probes.printed([_CLIENT, f"--defaults-file={client}", "-e",
                        "SELECT 1", _DATABASE])

    def describe(self, instance: Instance) -> dict[str, Any]:
        address = f"{_USER}:{instance.secret}@{HOST}:{instance.port}"
        return {"url": f"mysql+pymysql://{address}/{_DATABASE}",
                "drivername": "mysql+pymysql", "username": _USER,
                "password": instance.secret, "database": _DATABASE,
                "socket": str(socket_path(instance.directory))}


@contextlib.contextmanager
def filling(instance: Instance, url: str) -> Iterator[bool]:
    """Yield whether the database of `url` has still to be filled.

    For the servers that keep their data in this one. The database is made
    anew if the data of `instance`, which are to be its owner's, are new, or
    were not filled to the end.
    """
    server, _slash, database = url.rpartition("/")
    mark = instance.directory / "filled"
    databases = execute(server, "SHOW DATABASES").split()
    if mark.exists() and database in databases:
        yield False
        return
    mark.unlink(missing_ok=True)
    # Tables that refer to each other are dropped in any order.
    execute(server, "SET foreign_key_checks = 0; "
            f"CREATE OR REPLACE DATABASE {database}")
    yield True
    mark.touch()


def execute(url: str, statements: str) -> str:
    """Return the rows that `statements` give, in the database of `url`."""
    address = urllib.parse.urlsplit(url)
    return tasks.run("mariadb", [
        _CLIENT, "--no-defaults", "--protocol=tcp", "--batch",
        "--skip-column-names", f"--host={address.hostname}",
        f"--port={address.port}", f"--user={address.username}",
        *([database] if (database := address.path.lstrip("/")) else [])],
        text=statements, env={"MYSQL_PWD": address.password or ""})


def beside(peers: Mapping[str, Mapping[str, Any]], database: str) -> str:
    """Return the URL of `database` on the mariadb among `peers`."""
    return peers["mariadb"]["url"].rpartition("/")[0] + f"/{database}"


def socket_path(directory: pathlib.Path) -> pathlib.Path:
    """Return where the socket goes: the kernel refuses a long path."""
    path = directory / "mariadb.sock"
    if len(str(path)) <= _LONGEST_SOCKET:
        return path
    short = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return pathlib.Path(f"/tmp/me-{short}.sock")


def render(instance: Instance) -> str:
    """Return my.cnf, the only file that is read."""
    home = instance.directory
    options: Mapping[str, str] = {
        "datadir": str(home / "data"),
        "socket": str(socket_path(home)),
        "pid-file": str(home / "mariadb.pid"),
        "tmpdir": str(home / "tmp"),
        "init-file": str(home / "users.sql"),
        "bind-address": HOST,
        "port": str(instance.port),
        "skip-name-resolve": "ON",
        "character-set-server": "utf8mb4",
        "collation-server": "utf8mb4_general_ci",
        "innodb-buffer-pool-size": "64M",
        "innodb-log-file-size": "32M",
        **instance.settings}
    lines = "".join(f"{key} = {value}\n" for key, value in options.items())
    return f"[mariadbd]\n{lines}"


def render_users(instance: Instance) -> str:
    """Return what runs at each start, harmless when it ran before.

    The user may do everything: the servers that keep their data here, such
    as aodh, create databases of their own.
    """
    user = f"'{_USER}'@'{HOST}'"
    return (f"CREATE DATABASE IF NOT EXISTS {_DATABASE};\n"
            f"CREATE USER IF NOT EXISTS {user} "
            f"IDENTIFIED BY '{instance.secret}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO {user} WITH GRANT OPTION;\n")


def render_client(instance: Instance) -> str:
    """Return the option file for the command line client."""
    return (f"[client]\nprotocol = tcp\nhost = {HOST}\n"
            f"port = {instance.port}\nuser = {_USER}\n"
            f"password = {instance.secret}\nconnect-timeout = 3\n")


def _create_data(instance: Instance) -> None:
    tasks.run("mariadb: mariadb-install-db", [
        _INSTALL, f'--defaults-file={instance.directory / "my.cnf"}',
        "--auth-root-authentication-method=normal", "--skip-test-db",
        *_user_option()])


def _user_option() -> list[str]:
    """MariaDB refuses to run as root unless told to."""
    return ["--user=root"] if os.geteuid() == 0 else []
