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


"""Secrets planted where services have been seen, or feared, to leak them.

Each is the word ``CANARY-`` and a number, worn as the secret of its place
would be worn. After a run no disk of ours may hold that word: search for it
with :func:`hits`. In the same payload stands the word ``BEACON-`` with the
same number, where no secret is: a search that does not find the beacons
would not find the secrets either. Covers S14 and S14b of the security matrix.
"""

from collections.abc import Callable, Iterable, Iterator
import contextlib
import copy
import dataclasses
import json
import os
import re

from monasca_events_agent.traffic.notification import Notification

#: What the words begin with; a number follows.
SECRET, BEACON = "CANARY-", "BEACON-"

#: Where a beacon stands in the payload.
BESIDE = "remark"

# So many notifications pass before a place has a second one.
_EVERY = 10

# Bytes that are read at once, and those of a word at most.
_CHUNK, _LONGEST = 4 << 20, 64


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is put.

    :ivar name: ``context`` or ``payload`` and the path below it
    :ivar types: prefix of the event types in which it occurs; context places
        take any notification that has a context
    :ivar dress: what stands there, from the bare canary
    """

    name: str
    types: str
    dress: Callable[[str], object] = str

    def fits(self, notification: Notification) -> bool:
        if self.name.startswith("context."):
            return bool(notification.context)
        return notification.event_type.startswith(self.types)

    def plant(self, notification: Notification,
              canary: str) -> Notification:
        """Return the notification with the secret in this place."""
        context = dict(notification.context)
        payload = copy.deepcopy(notification.payload)
        where, *path = self.name.split(".")
        # Versioned objects keep their fields one level down.
        lit = payload
        for key in ("nova_object.data", "ironic_object.data"):
            lit = lit.get(key, lit)
        spot = context if where == "context" else lit
        for key in path[:-1]:
            below = spot.get(key)
            spot[key] = spot = below if isinstance(below, dict) else {}
        spot[path[-1]] = self.dress(canary)
        lit[BESIDE] = canary.replace("CANARY", "BEACON")
        return dataclasses.replace(notification, context=context,
                                   payload=payload,
                                   canary=(canary, self.name))


def _text(pattern: str) -> Callable[[str], str]:
    return lambda canary: pattern % canary


def _pair(key: str) -> Callable[[str], object]:
    """The form in which nova and cinder once sent metadata."""
    return lambda canary: [{"key": key, "value": canary}]


def _under(*keys: str) -> Callable[[str], object]:
    def dress(canary):
        for key in reversed(keys):
            canary = {key: canary}
        return canary
    return dress


_NESTED = {"project_id": "p", "request_id": "req-0", "roles": ["member"]}

PLACES = (
    Place("context.auth_token", ""),
    Place("context.service_token", ""),
    Place("context.trust_id", ""),
    Place("context.password", ""),
    Place("context.user_auth_plugin", "", _under("auth", "token")),
    Place("context.service_catalog", "", lambda canary: [
        {"endpoints": [{"adminURL": f"https://admin:{canary}@keystone/v3"}]}]),
    Place("payload.request_spec.instance_properties.pci_requests._context",
          "scheduler.", lambda canary: {**_NESTED, "auth_token": canary}),
    Place("payload.args.instance.info_cache", "compute.instance.",
          lambda canary: {"_context": {**_NESTED, "auth_token": canary}}),
    Place("payload.args.context", "compute.instance.",
          lambda canary: [[{"_context": {**_NESTED,
                                         "service_token": canary}}]]),
    Place("payload.user_data", "compute.instance.",
          _text("#cloud-config\npassword: %s\n")),
    Place("payload.injected_files", "compute.instance.",
          lambda canary: [["/root/.netrc", canary]]),
    Place("payload.personality", "compute.instance.",
          lambda canary: [{"path": "/etc/key", "contents": canary}]),
    Place("payload.adminPass", "compute.instance."),
    Place("payload.args.admin_password", "compute.instance."),
    Place("payload.metadata.db_password", "compute.instance."),
    Place("payload.metadata", "compute.instance.", _pair("api_key")),
    Place("payload.system_metadata.password_0", "compute.instance."),
    Place("payload.exception", "compute.instance.",
          lambda canary: str({"kwargs": {"auth_token": canary},
                              "class": "Unauthorized"})),
    Place("payload.message", "compute.instance.",
          _text("cannot connect to mysql+pymysql://nova:%s@db/nova")),
    Place("payload.traceback", "compute.instance.",
          _text("curl -H 'X-Auth-Token: %s' http://nova/v2.1/servers")),
    Place("payload.key_data", "compute.instance.",
          _text("-----BEGIN RSA PRIVATE KEY-----\n%s\n"
                "-----END RSA PRIVATE KEY-----\n")),
    Place("payload.description", "compute.instance.",
          _text("gAAAAABlZq8x%sQhVnS0c1b7lWJt4u2kFzYdP9aXoR3mNeTgBiUvLq6w5")),
    Place("payload.instance_note", "compute.instance.", _text(
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx%s.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg")),
    Place("payload.request_log", "compute.instance.",
          _text("GET /servers Authorization: Bearer %s")),
    Place("payload.arguments", "compute.instance.",
          lambda canary: json.dumps({"name": "x", "auth_token": canary})),
    Place("payload.connection_info", "volume.", _under("data",
                                                       "auth_password")),
    Place("payload.provider_auth", "volume.", _text("CHAP user %s")),
    Place("payload.metadata", "volume.", _pair("secret_key")),
    Place("payload.transport_url", "volume.",
          _text("rabbit://cinder:%s@mq:5672/")),
    Place("payload.service_metadata", "backup.",
          lambda canary: json.dumps({"secret_access_key": canary})),
    Place("payload.credential.blob", "identity.",
          lambda canary: json.dumps({"access": "a", "secret": canary})),
    Place("payload.initiator.credential.token", "identity."),
    Place("payload.user.password", "identity."),
    Place("payload.user.original_password", "identity."),
    Place("payload.application_credential.secret", "identity."),
    Place("payload.parameters.db_root_password", "orchestration."),
    Place("payload.environment.parameter_defaults.AdminPassword",
          "orchestration."),
    Place("payload.outputs", "orchestration.", _pair("private_key")),
    Place("payload.default_tls_container_ref", "octavia.",
          _text("https://barbican/v1/containers/%s")),
    Place("payload.pkcs12_passphrase", "octavia."),
    Place("payload.tsigkey.secret", "dns."),
    Place("payload.requestPath", "objectstore.",
          _text("/v1/AUTH_p/c/o?temp_url_sig=%s&temp_url_expires=1")),
    Place("payload.headers.X-Account-Meta-Temp-URL-Key", "objectstore."),
    Place("payload.headers.Cookie", "objectstore.", _text("session=%s")),
    Place("payload.access_key", "share."),
    Place("payload.security_service.password", "share."),
    Place("payload.users", "trove.",
          lambda canary: [{"name": "app", "password": canary}]),
    Place("payload.root_password", "trove."),
    Place("payload.driver_info.redfish_password", "baremetal."),
    Place("payload.instance_info.configdrive", "baremetal."),
    Place("payload.ca_private_key", "magnum."),
    Place("payload.kubeconfig", "magnum.", _text("users:\n- token: %s\n")),
    Place("payload.payload", "audit."),
    Place("payload.attachments", "audit.", lambda canary: [
        {"name": "headers", "content": {"X-Subject-Token": canary}}]),
    Place("payload.port.psk", "port."),
    Place("payload.port.binding:profile.secret_key", "port."),
    Place("payload.properties.owner_api_key", "image."),
    Place("payload.location", "image.",
          _text("swift+https://glance:%s@keystone/v3/container/object")),
    Place("payload.direct_url", "image.",
          _text("https://s3.example.org/i?X-Amz-Signature=%s")),
)


def planted(notifications: Iterable[Notification]
            ) -> Iterator[Notification]:
    """Yield the notifications, some with one secret; the places take turns."""
    untried, turns = list(PLACES), []
    number, rest = 0, 0
    for notification in notifications:
        place = _first(untried, notification)
        rest -= 1
        if place is not None:
            untried.remove(place)
        elif rest < 0:
            place = _first(turns, notification)
            rest = _EVERY
        if place is None:
            yield notification
            continue
        # To the end of the queue, so that all of them have their turn.
        if place in turns:
            turns.remove(place)
        turns.append(place)
        number += 1
        yield place.plant(notification, f"CANARY-{number}")


def _first(places: list[Place], notification: Notification) -> Place | None:
    return next((place for place in places if place.fits(notification)), None)


def hits(paths: Iterable[str], word: str = SECRET) -> list[tuple[str, str]]:
    """Return (file, word) for every secret in files and directories.

    The words of a search index are in lower case: they are found as well.
    Files that vanish meanwhile are left out.

    :param word: what the words begin with, in capitals
    """
    found = set()
    for path in paths:
        if os.path.isdir(path):
            names = [os.path.join(top, name)
                     for top, _, files in os.walk(path) for name in files]
        else:
            names = [path]
        for name in names:
            found.update((name, one) for one in _words_of(name, word))
    return sorted(found)


def words(text: bytes, word: str = SECRET) -> set[str]:
    """Return the secrets in a text, as :func:`hits` does in files."""
    # Most texts have none, and a regular expression is slow to say so.
    return {match.decode().upper()
            for start in (word.encode(), word.lower().encode())
            if start in text
            for match in re.findall(re.escape(start) + rb"[0-9]+", text)}


def _words_of(name: str, word: str) -> set[str]:
    found: set[str] = set()
    if not os.path.isfile(name):
        return found  # a socket, or gone
    with contextlib.suppress(FileNotFoundError), open(name, "rb") as file:
        for text in _texts(file.fileno()):
            found |= words(text, word)
    return found


def _texts(fd: int) -> Iterator[bytes]:
    """Yield what a file holds, a word that lies on a border twice.

    Not mapped into memory: who reads there what another has cut off is
    killed. Holes are left out; a broker's files are little else.
    """
    end = 0
    size = os.fstat(fd).st_size
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError:  # no more data
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        rest = b""
        while start < end:
            text = os.pread(fd, min(_CHUNK, end - start), start)
            if not text:
                return
            start += len(text)
            whole = rest + text
            # Where it is cut is no end of a word.
            cut = len(whole) if start >= end else \
                len(whole.rstrip(b"0123456789"))
            yield whole[:cut]
            rest = whole[max(cut - _LONGEST, 0):]
