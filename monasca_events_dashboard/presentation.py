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

"""Events and what belongs to them, as pages show them. No Django."""

from collections.abc import Mapping
import dataclasses
import datetime
import json
import unicodedata
from typing import Any

from monasca_events_dashboard import histogram

#: Categories of Unicode that are nothing to see: control and format
#: characters, half characters, separators of lines and paragraphs.
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """An event in a list.

    :ivar level: ``error``, ``warning`` or empty
    """

    id: str
    type: str
    time: datetime.datetime
    priority: str
    level: str
    resource_type: str
    resource_id: str
    publisher_id: str
    project_id: str


def shown(event: Mapping[str, Any]) -> Shown:
    """Return what a list shows of an event."""
    priority = event.get("priority") or ""
    return Shown(
        event["event_id"], event["event_type"],
        datetime.datetime.fromisoformat(event["timestamp"]), priority,
        histogram.LEVELS.get(priority.upper(), ""),
        event.get("resource_type") or "", event.get("resource_id") or "",
        event.get("publisher_id") or "", event.get("project_id") or "")


def pairs(values: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return names and values as text, by name."""
    return [(visible(name), visible(value) if isinstance(value, str)
             else pretty(value))
            for name, value in sorted((values or {}).items())]


def pretty(value: object) -> str:
    """Return JSON for people."""
    return visible(json.dumps(value, ensure_ascii=False, indent=2,
                              sort_keys=True))


def visible(text: str) -> str:
    """Return text with escapes for what would deceive the eye.

    Control characters, what turns the direction of writing, and what has no
    form: all of it but the ends of lines.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one == "\n" or unicodedata.category(one) not in _HIDDEN
        else f"\\u{ord(one):04x}" for one in text)


def moment(text: str | None) -> datetime.datetime | None:
    """Return a time of the API."""
    return datetime.datetime.fromisoformat(text) if text else None


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One way that a firing was told, or was to be.

    :ivar level: ``error``, ``warning`` or empty
    :ivar again: whether it can be delivered again
    :ivar waits: whether it can still be cancelled: once an attempt was made
        the other side may know of it
    """

    id: str
    method_id: str
    trigger_id: str
    firing_id: str
    outcome: str
    action: str
    status: str
    level: str
    attempts: int
    error: str
    next_at: datetime.datetime | None
    updated_at: datetime.datetime | None
    again: bool
    waits: bool


def delivery(found: Mapping[str, Any]) -> Delivery:
    """Return what is shown of a delivery."""
    status = found["status"]
    failed = status == "parked" or (status != "delivered"
                                    and bool(found.get("last_error")))
    return Delivery(
        found["delivery_id"], found.get("method_id") or "",
        found.get("trigger_id") or "", found.get("firing_id") or "",
        found.get("outcome") or "", found["action"], status,
        "error" if status == "parked" else "warning" if failed else "",
        found["attempts"], visible(found.get("last_error") or ""),
        moment(found.get("next_at")) if status in ("waiting", "pending")
        else None, moment(found.get("updated_at")),
        status in ("parked", "cancelled", "delivered"),
        status == "waiting")


def duration(seconds: float) -> str:
    """Return seconds in the two greatest units that say something."""
    if seconds < 10:
        return f"{seconds:.3g} s"
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (parts and left):
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 "))
