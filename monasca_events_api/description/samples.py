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


"""Samples of requests and answers, which the reference shows as well.

They were recorded from the API and are played against it again by a test. A
file is named by its operation, after a hyphen by a variant where there are
several, and by ``request`` or the status of the answer::

    post_events-request.json
    post_events-cloudevent-request.json
    post_events-cloudevent-202.json

A request's ``.txt`` is its first line and its headers, where they are not what
one would expect; ``.json`` is its body.
"""

from collections.abc import Iterator, Mapping
import dataclasses
import functools
from importlib import resources
import re
from typing import Any

import orjson

from monasca_events_api import forms
from monasca_events_api.controllers.stream import EVENT_STREAM

REQUEST = "request"

#: What a sample without a variant is called.
PLAIN = "plain"

#: The end of a file's name → the media type of an answer.
MEDIA_TYPES = {"json": forms.JSON, "csv": forms.CSV, "ndjson": forms.NDJSON,
               "txt": EVENT_STREAM}

_NAME = re.compile(r"(\w+?)(?:-(\w+))?-(request|[1-5]\d\d)\.(\w+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One file.

    :ivar file: its name
    :ivar operation: the ``operationId`` whose it is
    :ivar variant: ``plain``, or what is different in it
    :ivar role: ``request``, or the status of an answer
    :ivar form: the end of the file's name
    :ivar text: what is in it
    """

    file: str
    operation: str
    variant: str
    role: str
    form: str
    text: str

    @property
    def value(self) -> Any:
        """What is in it, read where it is JSON."""
        return orjson.loads(self.text) if self.form == "json" else self.text


@functools.cache
def samples() -> tuple[Sample, ...]:
    """Return all of them, those without a variant first, then by name."""
    found = []
    for file in (resources.files(__package__) / "samples").iterdir():
        operation, variant, role, form = _NAME.fullmatch(file.name).groups()
        found.append(Sample(file.name, operation, variant or PLAIN, role,
                            form, file.read_text("utf-8")))
    return tuple(sorted(found, key=lambda one: (
        one.operation, one.variant != PLAIN, one.variant, one.role)))


def head(text: str) -> tuple[str, dict[str, str]]:
    """Return the first line of a request's ``.txt`` and its headers."""
    first, *lines = text.strip().splitlines()
    return first, dict(line.split(": ", 1) for line in lines)


def media_type(sample: Sample) -> str:
    """Return the media type of a body."""
    name = "Content-Type" if sample.role == REQUEST else "Accept"
    said = [head(one.text)[1] for one in samples()
            if (one.operation, one.variant, one.role, one.form)
            == (sample.operation, sample.variant, REQUEST, "txt")]
    return said[0].get(name, MEDIA_TYPES[sample.form]) if said \
        else MEDIA_TYPES[sample.form]


def illustrate(operation: Mapping) -> None:
    """Put its samples into the description of an operation."""
    for one in samples():
        if one.operation != operation["operationId"]:
            continue
        if one.role != REQUEST:
            said = operation["responses"][one.role]
        elif one.form == "json":
            said = operation["requestBody"]
        else:
            continue
        if "$ref" not in said:
            said["content"][media_type(one)].setdefault("examples", {})[
                one.variant] = {"value": one.value}


def of(operation: str) -> Iterator[tuple[str, list[Sample]]]:
    """Yield (variant, its files: requests first) of an operation."""
    variants: dict[str, list[Sample]] = {}
    for one in samples():
        if one.operation == operation:
            variants.setdefault(one.variant, []).append(one)
    for variant, files in variants.items():
        yield variant, sorted(files, key=lambda one: (
            one.role != REQUEST, one.form != "txt", one.role))
