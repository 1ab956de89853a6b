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

"""Times as people type them."""

import datetime
import re

from monasca_events_client.filters import format_moment

_SPAN = re.compile(r"([0-9]{1,6})([smhdw])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(text: str) -> int:
    """Return the seconds of ``90s``, ``15m``, ``1h``, ``2d``, ``1w`` or of a
    bare number.

    :raises ValueError: it is none of these
    """
    if text.isascii() and text.isdecimal():
        return int(text)
    found = _SPAN.match(text)
    if not found:
        raise ValueError(f"{text!r} is no time span; expected one such as "
                         "90s, 15m, 1h, 2d or 1w")
    return int(found[1]) * _SECONDS[found[2]]


def moment(text: str, now: datetime.datetime | None = None) -> str:
    """Return a time for the API: of ``1h``, which is so long ago, of ISO 8601
    or of ``now``. UTC where there is no zone.

    :raises ValueError: it is none of these
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    if text == "now":
        return format_moment(now)
    if _SPAN.match(text):
        try:
            return format_moment(
                now - datetime.timedelta(seconds=seconds(text)))
        except OverflowError:
            raise ValueError(f"{text!r} ago is before all time") from None
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time; expected 1h or 2d for so long ago, or "
            "ISO 8601 such as 2026-11-22T13:00:00Z") from None
    return format_moment(found)


def shown(text: str) -> str:
    """Return a time of the API to the second, for people."""
    return text[:19].replace("T", " ")


def duration(value: float) -> str:
    """Return seconds in words that are short: ``1.8 s``, ``2 h 5 min``."""
    if value < 0.0095:
        return f"{value * 1000:.1f} ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    for size, name, below, part in (
            (86400, "d", 3600, "h"), (3600, "h", 60, "min"),
            (60, "min", 1, "s")):
        if whole >= size:
            count, rest = divmod(whole, size)
            less = rest // below
            return f"{count} {name}" + (f" {less} {part}" if less else "")
    raise AssertionError("a minute and more was told of")
