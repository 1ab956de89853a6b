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

"""Identity for one machine: tokens in a file, no server.

The file is made at the first start with tokens of two demo projects, one
service and one administrator, readable by its owner only. Meant for trying
out, for development and for a single node that only local processes reach:
it serves loopback addresses and nothing else.
"""

from collections.abc import Sequence
import contextlib
import dataclasses
import hashlib
import hmac
import ipaddress
import json
import os
import secrets
import threading
import uuid

from oslo_config import cfg

from monasca_events_api.identity import Application
from monasca_events_api.identity import clouds
from monasca_events_api.identity import Identity
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import Misconfigured
from monasca_events_common.health import Health

#: name → (project, roles) of the accounts in a new file.
_ACCOUNTS = {
    "demo-member": ("demo", ("member", "reader")),
    "demo-reader": ("demo", ("reader",)),
    "alt-member": ("alt", ("member", "reader")),
    "alt-reader": ("alt", ("reader",)),
    "service": ("service", ("service",)),
    "admin": ("admin", ("admin", "manager", "member", "reader")),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """One line of the tokens file."""

    name: str
    token: str
    user_id: str
    project_id: str
    project_name: str
    roles: tuple[str, ...]

    def headers(self) -> dict[str, str]:
        """Return what auth_token would set."""
        return {"HTTP_X_IDENTITY_STATUS": "Confirmed",
                "HTTP_X_USER_ID": self.user_id,
                "HTTP_X_USER_NAME": self.name,
                "HTTP_X_USER_DOMAIN_ID": "default",
                "HTTP_X_PROJECT_ID": self.project_id,
                "HTTP_X_PROJECT_NAME": self.project_name,
                "HTTP_X_PROJECT_DOMAIN_ID": "default",
                "HTTP_X_ROLES": ",".join(self.roles)}


class LocalIdentity(Identity):
    """Looks tokens up in a file, which may be edited while running."""

    GROUP = "identity_local"

    OPTS = [
        cfg.StrOpt("tokens_file", default="local-tokens.json",
                   help="The JSON file of tokens; made with mode 0600 at the "
                        "first start. It is read again when it changes."),
        cfg.StrOpt("clouds_file", default="",
                   help="A clouds.yaml to write at every start, so that "
                        "openstack --os-cloud demo-member event list works. "
                        "Empty writes none."),
    ]

    def __init__(self, conf) -> None:
        """:param conf: the group ``[identity_local]``"""
        self._path = conf.tokens_file
        self._clouds = conf.clouds_file
        self._lock = threading.Lock()
        self._stamp: tuple | None = None
        self._accounts: dict[bytes, Account] = {}
        if not os.path.exists(self._path):
            _make_file(self._path)
        self._refresh()

    def accounts(self) -> list[Account]:
        """Return the accounts of the file."""
        self._refresh()
        return list(self._accounts.values())

    def protect(self, app: Application) -> Application:
        def middleware(environ, start_response):
            if not _is_loopback(environ.get("REMOTE_ADDR") or "127.0.0.1"):
                raise Forbidden("local tokens are accepted from this machine "
                                "only", code="not_local")
            token = environ.get("HTTP_X_AUTH_TOKEN", "").strip()
            account = self._find(token)
            if account is None:
                start_response("401 Unauthorized", [
                    ("WWW-Authenticate", "Token realm=\"monasca-events\""),
                    ("Content-Length", "0")])
                return []
            environ.update(account.headers())
            return app(environ, start_response)
        return middleware

    def health(self) -> Health:
        try:
            self._refresh()
        except Misconfigured as error:
            return Health(False, str(error))
        return Health(True)

    def listening(self, host: str, port: int) -> None:
        if not _is_loopback(host):
            raise Misconfigured(
                f"[api] host = {host} with [identity] driver = local: local "
                "tokens are for loopback addresses such as 127.0.0.1; use "
                "[identity] driver = keystone for others")
        if self._clouds:
            clouds.write(self._clouds, f"http://{host}:{port}", [
                (one.name, one.token, one.project_id)
                for one in self.accounts()])

    def _find(self, token: str) -> Account | None:
        if not token:
            return None
        with contextlib.suppress(Misconfigured):
            # A file that is wrong at the moment leaves the old tokens valid.
            self._refresh()
        return self._accounts.get(_digest(token))

    def _refresh(self) -> None:
        """Read the file when it is another than the one read before."""
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            with self._lock:
                self._accounts = {_digest(one.token): one
                                  for one in _read(self._path)}
                self._stamp = stamp
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise Misconfigured(
                f"[identity_local] tokens_file {self._path}: {error!r}"
            ) from error


# The key of the table of tokens: looking a digest up tells nothing about how
# much of a guessed token was right.
_SECRET = secrets.token_bytes(16)


def _digest(token: str) -> bytes:
    return hmac.digest(_SECRET, token.encode("utf-8", "replace"),
                       hashlib.sha256)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _read(path: str) -> list[Account]:
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    return [Account(name=one["name"], token=one["token"],
                    user_id=one["user_id"], project_id=one["project_id"],
                    project_name=one["project_name"],
                    roles=tuple(one["roles"]))
            for one in content["accounts"]]


def new_accounts() -> list[Account]:
    """Return fresh accounts with random tokens and ids."""
    projects: dict[str, str] = {}
    return [Account(name=name, token=secrets.token_urlsafe(32),
                    user_id=uuid.uuid4().hex,
                    project_id=projects.setdefault(project, uuid.uuid4().hex),
                    project_name=project, roles=roles)
            for name, (project, roles) in _ACCOUNTS.items()]


def write(path: str, accounts: Sequence[Account]) -> None:
    """Write a tokens file, readable by its owner only."""
    content = json.dumps({"accounts": [dataclasses.asdict(one)
                                       for one in accounts]}, indent=2)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(content + "\n")


def _make_file(path: str) -> None:
    """Make the file in one step, so that of several processes one wins."""
    folder = os.path.dirname(os.path.abspath(path))
    draft = f"{path}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        write(draft, new_accounts())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    except OSError as error:
        raise Misconfigured(
            f"[identity_local] tokens_file {path} cannot be made: {error}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(draft)
