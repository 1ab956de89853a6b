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


"""A notification as it is on the wire, and what its context may tell.

Sources hand over what they received; the normaliser opens it here. What can
never become an event is refused with a code, everything else is read as
charitably as possible: other people's mistakes are no reason to lose an event.
"""

from collections.abc import Callable
from collections.abc import Mapping
import functools
import re
from typing import Annotated
from typing import Any
from typing import Protocol
import uuid

import msgspec
from msgspec import convert
from msgspec import ValidationError
import orjson

from monasca_events_common.errors import Rejected
from monasca_events_common.errors import TooLarge
from monasca_events_common.event import MAX_STRING

_CONTEXT = "_context_"
_NOVA = "nova_object.data"
_WRAPPER = re.compile(r"[a-z_]+\.data\Z")
# Longest source id that is kept as it is; oslo.messaging's have 36.
_MAX_ID = 255
# Root of the ids made for notifications that carry none (see _made_id).
_NAMESPACE = uuid.UUID("3f0f1a52-7f8b-5c68-9d0e-52d5a3a8d1c4")

# Where contexts of different releases keep an id, best first.
_PROJECT = ("project_id", "project", "tenant", "tenant_id")
_USER = ("user_id", "user")
_DOMAIN = ("domain_id", "domain", "project_domain_id", "project_domain")

_PRIORITIES = {None: "INFO"} | {
    given: given.upper() for word in (
        "audit", "debug", "info", "warn", "error", "critical", "sample")
    for given in (word, word.upper())}

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_STRING)]


class _Context(msgspec.Struct, gc=False):
    """A context whose ids are texts, read in one go."""

    project_id: _Text | None = None
    project: _Text | None = None
    tenant: _Text | None = None
    tenant_id: _Text | None = None
    user_id: _Text | None = None
    user: _Text | None = None
    domain_id: _Text | None = None
    domain: _Text | None = None
    project_domain_id: _Text | None = None
    project_domain: _Text | None = None
    request_id: _Text | None = None
    global_request_id: _Text | None = None


# The same among a notification's other keys.
_FlatContext = msgspec.defstruct(
    "_FlatContext", [(field.name, field.type, None)
                     for field in msgspec.structs.fields(_Context)],
    rename=lambda name: _CONTEXT + name, gc=False)


class Notification(msgspec.Struct, gc=False):
    """One notification, opened.

    :ivar project_id: the caller's project, which need not be the resource's
    :ivar user_id: the caller
    :ivar wrapper: the key under which a versioned object keeps its fields
    """

    event_type: _Text
    publisher_id: _Text | None = None
    priority: _Text | None = None
    message_id: Any = None
    timestamp: Any = None
    payload: Any = None
    context: _Context | None = None
    ctxt: Any = None
    project_id: Any = None
    user_id: Any = None
    domain_id: Any = None
    request_id: Any = None
    global_request_id: Any = None
    wrapper: Any = None

    def source_id(self, payload: "Payload", mint: Callable[[], str]) -> str:
        """Return the id by which a repeat of this notification is known.

        :param payload: has the payload's bytes, which are seldom needed
        :param mint: gives a new id where nothing else tells two alike apart
        """
        given = self.message_id
        if given is not None and type(given) is not str:
            given = str(given)
        if given and (given := given.strip()):
            return given if len(given) <= _MAX_ID and given.isascii() \
                else _made_id(given)
        if self.timestamp is None:
            return mint()
        return _made_id(f"{self.publisher_id}\n{self.event_type}\n"
                        f"{self.timestamp}\n", payload.encoded)


class Payload(Protocol):
    """A payload that can be had as bytes."""

    @property
    def encoded(self) -> bytes:
        """The payload's bytes."""


def read(raw: Mapping) -> Notification:
    """Return what a notification says.

    :raises Rejected: it has nothing that could name an event
    """
    try:
        found = convert(raw, Notification)
        context = found.context if raw.get("context") \
            else convert(raw, _FlatContext)
    except (ValidationError, UnicodeEncodeError):
        return _read(raw)
    payload = found.payload
    if type(payload) is not dict or found.ctxt is not None:
        return _read(raw)
    found.event_type = _known_type(found.event_type)
    found.priority = _PRIORITIES.get(found.priority) or found.priority.upper()
    found.project_id = context.project_id or context.project \
        or context.tenant or context.tenant_id
    found.user_id = context.user_id or context.user
    found.domain_id = context.domain_id or context.domain \
        or context.project_domain_id or context.project_domain
    found.request_id = context.request_id
    found.global_request_id = context.global_request_id
    found.wrapper = _wrapper(payload)
    return found


def _read(raw: Mapping) -> Notification:
    """Do the same where something is not as it should be."""
    if not isinstance(raw, Mapping):
        raise Rejected(f"the notification is {type(raw).__name__}; "
                       "expected an object", code="not_an_object")
    payload = raw.get("payload")
    if payload is None:
        payload = {}
    elif not isinstance(payload, Mapping):
        payload = {"value": payload}
    context = raw.get("context") or raw.get("ctxt")
    find = context.get if isinstance(context, Mapping) \
        else lambda name: raw.get(_CONTEXT + name)
    return Notification(
        event_type=_event_type(raw.get("event_type")),
        publisher_id=_text(raw.get("publisher_id")),
        priority=(_text(raw.get("priority")) or "INFO").upper(),
        message_id=raw.get("message_id"), timestamp=raw.get("timestamp"),
        payload=payload, wrapper=_wrapper(payload),
        project_id=_first(find, _PROJECT), user_id=_first(find, _USER),
        domain_id=_first(find, _DOMAIN),
        request_id=_text(find("request_id")),
        global_request_id=_text(find("global_request_id")))


def assemble(context: Mapping | None, publisher_id: str, event_type: str,
             payload, metadata: Mapping, priority: str) -> dict:
    """Return the wire form of what an oslo.messaging endpoint is given."""
    return {"publisher_id": publisher_id, "event_type": event_type,
            "priority": priority, "payload": payload,
            "message_id": metadata.get("message_id"),
            "timestamp": metadata.get("timestamp"),
            "context": context or {}}


def open_envelope(body: bytes | str) -> dict:
    """Return the notification in a message body, with or without envelope.

    :raises Rejected: the bytes are no JSON, or not of a notification
    """
    try:
        message = orjson.loads(body)
        if isinstance(message, dict) and "oslo.message" in message:
            version = str(message.get("oslo.version", "2.0"))
            if version.split(".")[0] != "2":
                raise Rejected(
                    f"the envelope has version {version[:20]!r}; expected 2.x",
                    code="unsupported_version", where="oslo.version")
            message = orjson.loads(message["oslo.message"])
    except (ValueError, TypeError) as error:
        raise Rejected(f"the message is not JSON: {error}",
                       code="not_json") from None
    if not isinstance(message, dict):
        raise Rejected(f"the message is {type(message).__name__}; expected "
                       "an object", code="not_an_object")
    return message


def _event_type(given) -> str:
    """Return the event type; raise Rejected where it can be none."""
    if type(given) is not str or not given.strip():
        raise Rejected(
            f"event_type is {type(given).__name__}; expected a word "
            "such as compute.instance.create.end",
            code="event_type_missing", where="event_type")
    event_type = given.strip()
    # The API refuses these too; here they are still one notification.
    if not event_type.isprintable():
        raise Rejected("event_type has characters that cannot be printed",
                       code="invalid_event_type", where="event_type")
    if len(event_type) > MAX_STRING:
        raise TooLarge(
            f"event_type has {len(event_type)} characters; at most "
            f"{MAX_STRING} are accepted", code="field_too_large",
            where="event_type")
    return event_type


_known_type = functools.lru_cache(4096)(_event_type)


def _wrapper(payload: Mapping) -> str | None:
    """Return the key under which a versioned object keeps its fields.

    Every service that uses oslo.versionedobjects has a prefix of its own:
    ``nova_object.data``, ``ironic_object.data``.
    """
    if _NOVA in payload:
        return _NOVA
    if len(payload) > 6:
        return None
    for key in payload:
        if type(key) is str and key.endswith("_object.data") \
                and len(key) <= 48 and _WRAPPER.match(key):
            return key
    return None


def _made_id(text: str, encoded: bytes = b"") -> str:
    name = text.encode("utf-8", "surrogatepass") + encoded
    # uuid5 takes text only; latin-1 gives each byte a character.
    return str(uuid.uuid5(_NAMESPACE, name.decode("latin-1")))


def _first(find: Callable, names: tuple[str, ...]) -> str | None:
    for name in names:
        found = _text(find(name))
        if found is not None:
            return found
    return None


def _text(value) -> str | None:
    """Return a short, non-empty string, or None."""
    if type(value) is str and 0 < len(value) <= MAX_STRING \
            and value.isascii():
        return value
    if value is None or value == "" or isinstance(value, (Mapping, list)):
        return None
    # Half a UTF-16 pair has no UTF-8 form.
    return str(value)[:MAX_STRING].encode("utf-8", "replace").decode()
