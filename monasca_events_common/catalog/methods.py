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


"""Notification methods: what one may say, type by type.

The shapes are those of the API's ``/v1.0/notification-methods``. The API
checks with :func:`check`; the engine, which executes them, trusts what the
catalog holds but for the addresses of webhooks, which it judges again.
"""

from collections.abc import Mapping, Sequence
import re

from oslo_config import cfg

from monasca_events_common import event as events
from monasca_events_common.catalog import targets
from monasca_events_common.errors import Rejected

WEBHOOK = "webhook"
EMAIL = "email"
LOG = "log"
EVENT = "event"
MONASCA = "monasca-notification"
METRIC = "metric"

#: Types of methods, each the name of the action that executes it.
TYPES = (WEBHOOK, EMAIL, LOG, EVENT, MONASCA, METRIC)

#: Types that reach what is the operator's; a policy of their own allows them.
OPERATOR_TYPES = (LOG, MONASCA, METRIC)

#: What a derived event's type begins with unless the method names a type.
EVENT_PREFIX = "monasca-events.trigger"

GROUP = "derived_event"

OPTS = [
    cfg.ListOpt("prefixes", default=["derived.", "monasca-events."],
                mutable=True,
                help="What the type of a derived event must begin with, so "
                     "that none passes for an event of a service. The API "
                     "refuses a notification method with another type, and "
                     "the engine does not publish it."),
]

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_EVENT_TYPE = {"type": "string", "minLength": 1, "maxLength": 200,
               "pattern": r"^[A-Za-z0-9_.-]+$",
               "description": "letters, digits, dots, - and _"}
# As Monasca's own API takes them.
_METRIC_NAME = {"type": "string", "minLength": 1, "maxLength": 255,
                "pattern": r"^[^<>={}(),\"\\;&\s]+$",
                "description": "a name without blanks and without "
                               "< > = { } ( ) , \" \\ ; &"}
_DIMENSIONS = {"type": "object", "maxProperties": 25,
               "propertyNames": {"minLength": 1, "maxLength": 255},
               "additionalProperties": {"type": "string", "minLength": 1,
                                        "maxLength": 255}}

#: type → (schema of its settings' keys, which of them are required).
SETTINGS: dict[str, tuple[dict, tuple[str, ...]]] = {
    WEBHOOK: ({}, ()),
    EMAIL: ({"subject_prefix": {"type": "string", "maxLength": 80}}, ()),
    LOG: ({}, ()),
    EVENT: ({"event_type": _EVENT_TYPE,
             "event_type_prefix": _EVENT_TYPE}, ()),
    MONASCA: ({}, ()),
    METRIC: ({"name": _METRIC_NAME, "dimensions": _DIMENSIONS}, ("name",)),
}

_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}"
                      r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
                      r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])\Z")


def schema(kind: str) -> dict:
    """Return the JSON Schema of a whole method of a type."""
    properties, required = SETTINGS[kind]
    return {"type": "object", "additionalProperties": False,
            "required": ["name", "type",
                         *(["address"] if kind in (WEBHOOK, EMAIL) else []),
                         *(["settings"] if required else [])],
            "properties": {
                "name": _NAME, "type": {"const": kind},
                "address": {"type": "string",
                            "maxLength": targets.MAX_URL},
                "settings": {"type": "object",
                             "additionalProperties": False,
                             "required": list(required),
                             "properties": properties}}}


def check(content, webhook, prefixes: Sequence[str]) -> dict:
    """Return a method's definition with defaults filled in.

    A webhook's address comes back in its one spelling.

    :param webhook: the option group ``[webhook]``
    :param prefixes: ``[derived_event] prefixes``
    :raises Rejected: with a sentence that says where and what was expected
    """
    # Only the API checks; the engine's hosts need no validator.
    from monasca_events_common.rules import schema as schemas
    schemas.check({"type": "object", "required": ["name", "type"],
                   "properties": {"type": {"enum": list(TYPES)}}},
                  content, "method")
    kind = content["type"]
    schemas.check(schema(kind), content, "method")
    settings = content.get("settings", {})
    address = content.get("address", "")
    if kind == WEBHOOK:
        address = _url(address, webhook)
    elif kind == EMAIL:
        _check_mail(address, settings)
    elif address:
        raise Rejected(f"method.address is given, but the type {kind} has "
                       "none; expected no address", where="method.address",
                       code="invalid_definition")
    if kind == EVENT:
        _check_event_type(settings, prefixes)
    return {"name": content["name"], "type": kind, "address": address,
            "settings": settings}


def _url(address: str, webhook) -> str:
    try:
        return targets.parse(address, webhook).url
    except Rejected as error:
        raise Rejected(f"method.address: {error}", code="invalid_address",
                       where="method.address") from None


def _check_mail(address: str, settings: Mapping) -> None:
    if len(address) > 254 or not _MAILBOX.match(address):
        raise Rejected(
            f"method.address is {address[:80]!r}; expected one address such "
            "as ops@example.org", code="invalid_address",
            where="method.address")
    # A line break would begin a header of the sender's own.
    if not settings.get("subject_prefix", "").isprintable():
        raise Rejected("method.settings.subject_prefix has characters that "
                       "cannot be printed; expected plain text",
                       code="invalid_definition",
                       where="method.settings.subject_prefix")


def _check_event_type(settings: Mapping, prefixes: Sequence[str]) -> None:
    if len(settings) > 1:
        raise Rejected("method.settings has event_type and "
                       "event_type_prefix; expected one of them",
                       code="invalid_definition", where="method.settings")
    # What outcome it is decides only about the end of the type.
    made = derived_type(settings, "fired")
    if not is_derived(made, prefixes):
        where = ".".join(("method.settings", *settings))
        raise Rejected(
            f"{where} makes events of the type {made!r}; expected a type that "
            f"begins with {' or '.join(prefixes) or 'nothing that there is'}",
            code="invalid_type", where=where)


def is_derived(event_type: str, prefixes: Sequence[str]) -> bool:
    """Return whether an event that a firing leads to may have this type.

    :param prefixes: ``[derived_event] prefixes``
    """
    return event_type.startswith(tuple(prefixes))


def derived_type(settings: Mapping, outcome: str) -> str:
    """Return the event type of the event that a method of type event makes.

    :param settings: of the method
    :param outcome: of the firing
    """
    named = settings.get("event_type")
    if named is not None:
        return named
    return (f"{settings.get('event_type_prefix', EVENT_PREFIX)}.{outcome}"
            )[:events.MAX_STRING]
