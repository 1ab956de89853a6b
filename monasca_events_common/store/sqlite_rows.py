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

"""The SQLite store's rows: a document taken apart into columns and terms.

Pure functions, called by the SQLite store when it writes and by its query
translation, which must spell a term the way it was written.
"""

from collections.abc import Mapping
import dataclasses
import functools
import hashlib
import uuid

import orjson

from monasca_events_common.errors import Rejected
from monasca_events_common.event import comparable
from monasca_events_common.event import trait_type
from monasca_events_common.query import FIELDS
from monasca_events_common.store import Document
from monasca_events_common.store import periods
from monasca_events_common.store.sqlite_schema import SLOTS

#: The columns of a field of its own, in the order in which they are written.
COLUMNS = FIELDS[1:]


@dataclasses.dataclass(slots=True)
class Row:
    """What is written for one document.

    :ivar id: the row id it should have if that is free
    :ivar columns: event_id, time, COLUMNS, traits, dimensions, value
    :ivar terms: what FTS5 is given, but for the project's term
    :ivar traits: name and type of each trait
    """

    id: int
    project_id: str
    event_type: str
    columns: tuple
    terms: str
    traits: list[tuple[str, str]]


def row(document: Document) -> Row:
    """Return the row of a document; raise Rejected if it can never be one."""
    time = periods.storable(document.timestamp)
    event = _object(document.value, "the event")
    index = _object(document.index, "the header index")
    traits = _pairs(event, "traits")
    dimensions = {name: value for name, value
                  in _pairs(event, "dimensions").items()
                  if type(value) is str}
    fields = tuple(_text(event.get(name)) for name in COLUMNS)
    typed = [(name, kind) for name, kind in
             ((name, trait_type(value)) for name, value in traits.items())
             if kind is not None]
    encoded = {name: comparable(traits[name]) for name, _ in typed}
    words = index.get("words")
    terms = [word for word in words if type(word) is str] \
        if isinstance(words, list) else []
    terms += [term("f", name, value)
              for name, value in zip(COLUMNS, fields, strict=True)
              if value is not None]
    for name, value in encoded.items():
        terms.append(_once("t", name, value))
        terms.append(term("n", name))
    for name, value in dimensions.items():
        terms.append(term("d", name, value))
        terms.append(term("m", name))
    key = identity(document.event_id)
    return Row(
        id=time * SLOTS + _slot(key),
        project_id=document.project_id,
        event_type=document.event_type,
        columns=(key, time, *fields,
                 orjson.dumps(encoded).decode() if encoded else None,
                 orjson.dumps(dimensions).decode() if dimensions else None,
                 document.value),
        terms=" ".join(terms),
        traits=typed)


def identity(event_id: str) -> bytes | str:
    """Return an event's id as it is stored: a UUID takes 16 bytes."""
    try:
        key = uuid.UUID(event_id)
    except ValueError:
        return event_id
    return key.bytes if str(key) == event_id else event_id


def project_term(project: int) -> str:
    """Return the term that every event of a project has."""
    return f"=p{project}"


def word_term(word: str) -> str:
    """Return the term of a word that somebody looks for.

    No stored word begins with '=', as the terms of exact values do.
    """
    return "=" + word if word.startswith("=") else word


@functools.lru_cache(maxsize=65536)
def term(kind: str, *parts: str) -> str:
    """Return the term that stands for an exact value.

    No word begins with '=', so terms and words never meet. A term is a short
    digest; the columns decide where two values share one.

    :param kind: f field, t trait, n trait's name, d dimension, m its name
    """
    return _once(kind, *parts)


def _once(kind: str, *parts: str) -> str:
    # NUL cannot separate where it also may occur, but columns decide anyway.
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=5)
    return f"={kind}{digest.hexdigest()}"


def _slot(key: bytes | str) -> int:
    """Return the leading bits of the id, so that ties lie in its order."""
    if type(key) is str:
        key = hashlib.blake2b(key.encode(), digest_size=2).digest()
    return (key[0] << 8 | key[1]) * SLOTS >> 16


def _object(value: bytes, what: str) -> dict:
    try:
        found = orjson.loads(value)
    except (orjson.JSONDecodeError, TypeError):
        found = None
    if type(found) is not dict:
        raise Rejected(f"{what} is not a JSON object", code="store_rejected")
    return found


def _pairs(event: Mapping, name: str) -> dict:
    found = event.get(name)
    return found if type(found) is dict else {}


def _text(value) -> str | None:
    return value if type(value) is str else None
