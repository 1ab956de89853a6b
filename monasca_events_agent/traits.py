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


"""The types of traits: what a payload's value becomes under each of them.

A converter returns the typed value, or None where the value cannot be one;
the trait is then left out, since a wrong type would break comparisons.
"""

from collections.abc import Callable
import datetime
import functools
import math

from monasca_events_common import event
from monasca_events_common.errors import Rejected

_INT64 = range(-2 ** 63, 2 ** 63)
_TRUE = frozenset(("true", "yes", "on", "1", "t", "y"))
_FALSE = frozenset(("false", "no", "off", "0", "f", "n"))
# A 64-bit integer has at most 20 characters; int() of a long text is slow.
_DIGITS = 20


def string(value) -> str | None:
    kind = type(value)
    if kind is str:
        return value or None
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return str(value)
    if kind is list and value:
        items = [string(item) for item in value]
        return None if None in items else ",".join(items)
    return None


def integer(value) -> int | None:
    kind = type(value)
    if kind is int:
        return value
    try:
        if kind is float:
            return int(value) if value.is_integer() \
                and int(value) in _INT64 else None
        if kind is str and 0 < len(value) <= _DIGITS:
            number = int(value)
            return number if number in _INT64 else None
    except ValueError:
        pass
    return None


def floating(value) -> float | None:
    kind = type(value)
    if kind is float:
        return value
    if kind is int:
        return float(value)
    if kind is str and 0 < len(value) <= 2 * _DIGITS:
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def boolean(value) -> bool | None:
    kind = type(value)
    if kind is bool:
        return value
    if kind is int or kind is str:
        word = str(value).lower() if kind is int or len(value) < 6 else ""
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    return None


def moment(value) -> str | None:
    if type(value) is str:
        return _known_moment(value) if len(value) <= 40 else None
    return _moment(value)


def plain_time(value) -> str | None:
    """Return the canonical form of a time; None where the text has another
    form than services usually write.

    Nearly all have one of these, and the general way takes ten times as long.
    """
    try:
        zone = _parse(value).tzinfo
    except (TypeError, ValueError):
        return None
    # It is a time, so that a few characters tell its form. The years before
    # 1000 are written otherwise.
    if value[7] != "-" or value[13] != ":" or value[10] not in "T " \
            or value[0] == "0":
        return None
    length = len(value)
    if length == 26:
        if zone is None and value[19] == ".":
            return value.replace(" ", "T") + "Z"
    elif length == 20:
        if value[19] == "Z":
            return value[:19].replace(" ", "T") + ".000000Z"
    elif value[19:] == "+00:00" or length == 19 and zone is None:
        return value[:19].replace(" ", "T") + ".000000Z"
    elif value[26:] in ("Z", "+00:00") and value[19] == ".":
        return value[:26].replace(" ", "T") + "Z"
    return None


_parse = datetime.datetime.fromisoformat


def _moment(value) -> str | None:
    plain = plain_time(value)
    if plain is not None:
        return plain
    try:
        return event.format_time(event.parse_time(value))
    except Rejected:
        return None


# A resource's events repeat when it was made.
_known_moment = functools.lru_cache(8192)(_moment)


#: Converters by the name that definitions use.
TYPES: dict[str, Callable] = {
    "string": string, "integer": integer, "float": floating,
    "boolean": boolean, "datetime": moment}
