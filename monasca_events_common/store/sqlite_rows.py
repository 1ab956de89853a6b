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

import dataclasses
import functools
import hashlib
import re
import zlib

import orjson

from monasca_events_common.errors import Rejected
from monasca_events_common.event import words
from monasca_events_common.query import FIELDS
from monasca_events_common.store import Document
from monasca_events_common.store import periods
from monasca_events_common.store.conditions import FIELD
from monasca_events_common.store.conditions import DIMENSION
from monasca_events_common.store.conditions import TRAIT
from monasca_events_common.store.sqlite_schema import SLOTS

#: The columns of a field of its own, in the order in which they are written.
COLUMNS = FIELDS[1:]

# Fields whose text event.searchable puts among the words, and the others,
# with their places in COLUMNS, which get a term of their own.
_WORD_FIELDS = ("event_type", "publisher_id", "resource_id", "request_id")
_TERM_FIELDS = [(place, name) for place, name in enumerate(COLUMNS)
                if name not in _WORD_FIELDS]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

_TEXTS_ONLY = {str}


@dataclasses.dataclass(slots=True)
class Row:
    """What is written for one document.

    :ivar id: the row id it should have if that is free
    :ivar columns: event_id, time, COLUMNS, traits, dimensions, value
    :ivar terms: what FTS5 is given, but for the project's term
    :ivar traits: ``name:type`` of each trait
    """

    id: int
    project_id: str
    event_type: str
    columns: tuple
    terms: str
    traits: tuple[str, ...]


def row(document: Document) -> Row:
    """Return the row of a document; raise Rejected if it can never be one."""
    time = periods.storable(document.timestamp)
    event = _object(document.value, "the event")
    index = _object(document.index, "the header index")
    fields = [_text(event.get(name)) for name in COLUMNS]
    traits = dict([text.partition("=")[::2]
                   for text in _texts(index, "traits")])
    dimensions = _dimensions(event)
    terms = _list(index, "words")
    terms += [term("f" + name, fields[place]) for place, name in _TERM_FIELDS
              if fields[place] is not None]
    for name, value in traits.items():
        terms.append(term("n", name))
        if value[:1] != "d":
            terms.append(term("t" + name, value))
    for name, value in dimensions.items():
        terms.append(term("m", name))
        terms.append(term("d" + name, value))
    try:
        joined = " ".join(terms)
    except TypeError:
        raise Rejected("a word of the header index is no text",
                       code="store_rejected") from None
    key = identity(document.event_id)
    return Row(
        id=time * SLOTS + _slot(key),
        project_id=document.project_id,
        event_type=document.event_type,
        columns=(key, time, *fields,
                 _json(traits), _json(dimensions),
                 document.value),
        terms=joined,
        traits=tuple(_texts(index, "trait_types")))


def needles(kind: str, name: str, value: str) -> list[str]:
    """Return the terms that every event with an exact value has.

    There may be none. Long rare values are found as the words that they are
    anyway, so that they do not take room twice.

    :param kind: FIELD, TRAIT or DIMENSION
    :param value: as a condition has it, so a trait's is encoded
    """
    if kind == TRAIT and value[:1] == "d":
        return _whole(value[1:])
    if kind == FIELD and name in _WORD_FIELDS:
        return _whole(value)
    letter = {FIELD: "f", TRAIT: "t", DIMENSION: "d"}[kind]
    return [term(letter + name, value)]


def _whole(value: str) -> list[str]:
    # The parts of a word add work and no sharpness to the word itself.
    found = words([value])
    return [value.lower()] if value.lower() in found else found


def identity(event_id: str) -> bytes | str:
    """Return an event's id as it is stored: a UUID takes 16 bytes."""
    if _UUID.match(event_id):
        return bytes.fromhex(event_id.replace("-", ""))
    return event_id


def project_term(project: int) -> str:
    """Return the term that every event of a project has."""
    return f"=p{project}"


def without_nul(text: str) -> str:
    """Return the text as it stands in a JSON column.

    SQLite's JSON functions take NUL for the end of a text.
    """
    return text.replace("\0", "\ue000") if "\0" in text else text


def word_term(word: str) -> str:
    """Return the term of a word that somebody looks for.

    No stored word begins with '=', as the terms of exact values do.
    """
    return "=" + word if word.startswith("=") else word


@functools.lru_cache(maxsize=32768)
def term(kind: str, value: str) -> str:
    """Return the term that stands for an exact value.

    No word begins with '=', so terms and words never meet. The checksum only
    finds candidates; where two values share one, the columns decide.

    :param kind: f, t or d with the name of a field, trait or dimension; n or
        m where the value is the name of a trait or dimension
    """
    return f"={kind[0]}{zlib.crc32(f'{kind}={value}'.encode()):x}"


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


def _list(index: dict, name: str) -> list:
    found = index.get(name)
    if type(found) is not list:
        raise Rejected(f"the header index has no list {name!r}",
                       code="store_rejected")
    return found


def _texts(index: dict, name: str) -> list[str]:
    found = _list(index, name)
    if not set(map(type, found)) <= _TEXTS_ONLY:
        raise Rejected(f"the header index has no list of texts {name!r}",
                       code="store_rejected")
    return found


def _dimensions(event: dict) -> dict[str, str]:
    found = event.get("dimensions")
    if not found or type(found) is not dict:
        return {}
    return {name: value for name, value in found.items()
            if type(value) is str}


def _json(pairs: dict[str, str]) -> str | None:
    if not pairs:
        return None
    text = orjson.dumps(pairs).decode()
    if "\\u0000" in text:
        text = orjson.dumps({without_nul(name): without_nul(value)
                             for name, value in pairs.items()}).decode()
    return text


def _text(value) -> str | None:
    return value if type(value) is str else None
