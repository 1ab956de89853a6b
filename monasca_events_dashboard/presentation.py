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
    return "".join(
        one if one == "\n" or unicodedata.category(one) not in _HIDDEN
        else f"\\u{ord(one):04x}" for one in text)


def moment(text: str | None) -> datetime.datetime | None:
    """Return a time of the API."""
    return datetime.datetime.fromisoformat(text) if text else None
