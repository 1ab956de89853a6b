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

"""Files that people give: definitions in JSON or YAML, events in any form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import json
import sys
from typing import Any, BinaryIO

import yaml

from monasca_events_client import batches

#: Standard input, where a path is expected.
STDIN = "-"


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """One event of a file.

    :ivar event: the event, or None where there is none
    :ivar form: as which it is posted
    :ivar place: file and line, or file and number in it
    :ivar wrong: why there is none
    """

    event: Mapping[str, Any] | None
    form: batches.Form
    place: str
    wrong: str = ""


def load(path: str) -> Any:
    """Return what a file of JSON or YAML holds.

    :raises ValueError: it holds neither
    :raises OSError: it cannot be read
    """
    text = _text(path)
    try:
        return json.loads(text)
    except ValueError as wrong:
        if text.lstrip().startswith(("{", "[")):
            # Somebody meant JSON, and YAML's message would mislead.
            raise ValueError(f"{_name(path)}: {_told(wrong)}") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ValueError(
            f"{_name(path)}{line}: neither JSON nor YAML: "
            f"{getattr(error, 'problem', None) or 'unreadable'}") from None


def load_object(path: str) -> dict[str, Any]:
    """Return the object that a file holds.

    :raises ValueError: it holds none
    """
    found = load(path)
    if not isinstance(found, dict):
        raise ValueError(f"{_name(path)}: expected an object, found "
                         f"{_kind(found)}")
    return found


def value(text: str) -> Any:
    """Return the JSON of an argument, or of a file where it is ``@FILE``.

    :raises ValueError: it is none
    """
    if text.startswith("@"):
        return load(text[1:])
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{text[:60]!r}: {_told(error)}") from None


def typed(text: str) -> str | int | float | bool:
    """Return a number, true or false where a text reads so; a string in
    quotes without them."""
    try:
        found = value(text) if text[:1] != "@" else text
    except ValueError:
        return text
    return found if isinstance(found, (str, int, float, bool)) else text


def pair(option: str, text: str) -> tuple[str, str]:
    """Return the two of ``NAME=VALUE``.

    :raises ValueError: it is no such thing
    """
    name, sign, rest = text.partition("=")
    if not (sign and name):
        raise ValueError(f"{option} {text!r}; expected NAME=VALUE")
    return name, rest


def traits(texts: Sequence[str]) -> dict[str, str | int | float | bool]:
    """Return the traits of some ``--trait NAME=VALUE``."""
    return {name: typed(text) for name, text in (
        pair("--trait", one) for one in texts)}


def events(paths: Sequence[str]) -> Iterator[Given]:
    """Yield the events of files, read as they are needed.

    A file may be one event, an array of them, ``{"events": […]}``, or one of
    these a line; events in the API's own form, CloudEvents or CADF, also
    mixed.

    :raises OSError: a file cannot be read
    """
    for path in paths:
        if path == STDIN:
            yield from _events(sys.stdin.buffer, "standard input")
        else:
            with open(path, "rb") as file:
                yield from _events(file, path)


def form_of(event: Mapping[str, Any]) -> batches.Form:
    """Return as which form an event is to be posted."""
    return batches.CLOUDEVENTS if "specversion" in event else batches.OWN


def _events(file: BinaryIO, name: str) -> Iterator[Given]:
    first = b""
    number = 0
    for number, line in enumerate(file, 1):  # noqa: B007 needed below
        first = line
        if line.strip():
            break
    if not first.strip():
        return
    try:
        found = json.loads(first)
    except ValueError as error:
        # Not an object a line, but perhaps one in several lines.
        rest = file.read()
        if not rest.strip() or first.strip() not in (b"{", b"[") \
                and _ends(first):
            yield Given(None, batches.OWN, f"{name}:{number}", _told(error))
            yield from _lines(rest.splitlines(), name, number + 1)
            return
        try:
            found = json.loads(first + rest)
        except ValueError as broken:
            raise ValueError(f"{name}: {_told(broken)}") from None
        yield from _items(found, name)
        return
    yield from _items(found, f"{name}:{number}")
    yield from _lines(file, name, number + 1)


def _ends(line: bytes) -> bool:
    """Return whether a line looks like a whole object that is broken."""
    text = line.strip()
    return text.startswith(b"{") and text.endswith(b"}")


def _lines(lines: Iterable[bytes], name: str, first: int
           ) -> Iterator[Given]:
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            found = json.loads(line)
        except ValueError as error:
            yield Given(None, batches.OWN, place, _told(error))
        else:
            yield from _items(found, place)


def _items(found: Any, place: str) -> Iterator[Given]:
    if isinstance(found, dict) and isinstance(found.get("events"), list):
        found = found["events"]
    several = found if isinstance(found, list) else [found]
    for index, event in enumerate(several):
        where = f"{place}[{index}]" if isinstance(found, list) else place
        if not isinstance(event, dict):
            yield Given(None, batches.OWN, where,
                        f"expected an event, found {_kind(event)}")
        elif isinstance(event.get("event"), dict):
            yield Given(None, batches.OWN, where,
                        "in the form of the retired monasca-events-api; "
                        "expected event_type at the top level")
        else:
            yield Given(event, form_of(event), where)


def _text(path: str) -> str:
    try:
        if path == STDIN:
            return sys.stdin.read()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError:
        raise ValueError(f"{_name(path)}: not UTF-8") from None


def _name(path: str) -> str:
    return "standard input" if path == STDIN else path


def _told(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        place = f"column {error.colno}" if error.lineno == 1 \
            else f"line {error.lineno}, column {error.colno}"
        return f"not JSON: {error.msg} at {place}"
    return f"not JSON: {error}"


def _kind(value: Any) -> str:
    return {dict: "an object", list: "an array", str: "a string",
            type(None): "nothing", bool: "true or false"}.get(
                type(value), "a number")
