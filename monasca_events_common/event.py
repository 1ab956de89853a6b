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

"""The event: its canonical form, identity, limits and bytes.

Everything that makes, checks, encodes or reads a canonical event calls this
module. It has no I/O, no clock and no configuration: time, ids and limits are
arguments. The canonical form is a plain dict with the keys of FIELDS; the
same bytes travel on the bus and rest in the store.
"""

from collections.abc import Iterable, Mapping
import dataclasses
import datetime
import functools
import hashlib
import itertools
import re
import struct
import uuid

import orjson

from monasca_events_common.bus import Record
from monasca_events_common.bus import SCHEMA
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import TooLarge

#: Fields of the canonical form, in the order in which they are written.
FIELDS = ("event_id", "project_id", "event_type", "timestamp", "received_at",
          "publisher_id", "priority", "source", "resource_type",
          "resource_id", "user_id", "domain_id", "request_id",
          "global_request_id", "traits", "dimensions", "payload", "marks")

#: The fields among them that hold one string.
STRING_FIELDS = ("event_type", "publisher_id", "priority", "source",
                 "resource_type", "resource_id", "user_id", "domain_id",
                 "request_id", "global_request_id")

#: Characters of one string field and of a string trait; a longer one is
#: refused at the API. Elasticsearch's longest term is 32,766 bytes.
MAX_STRING = 1024

#: A word longer than this is not searchable as a word.
MAX_WORD = 128

# Root of our name-based ids (RFC 9562, version 5). Changing it makes every
# redelivered event a new one. Copying a digest costs less than beginning one.
_NAMESPACE = hashlib.sha1(
    uuid.UUID("6ad1d1f4-1d0c-5d0e-9a6b-0f3f2f6f7c11").bytes,
    usedforsecurity=False)
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))

# The names of no more traits are kept together, so that nobody fills memory.
_FEW_TRAITS = 32
_TRAIT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}\Z")
_WORD = re.compile(r"[^\W_][\w.:@\-]*[^\W_]|[^\W_]")
_PART = re.compile(r"[^\W_]+")
# The same cuts for ASCII, byte by byte: small letters, digits and what may
# stand within a word stay, the rest become spaces; then the latter as well.
_INNER = b"_.:@-"
_SMALL_WORDS = bytes(
    ord(chr(code).lower()) if code < 128
    and (chr(code).isalnum() or code in _INNER) else ord(" ")
    for code in range(256))
_SMALL_PARTS = _SMALL_WORDS.translate(
    bytes.maketrans(_INNER, b" " * len(_INNER)))
# Whatever may be in a word becomes one letter, so that a single search tells
# whether a word may be too long.
_SHAPES = bytes(code if code == ord(" ") else ord("x") for code in range(256))
_LONG_WORD = b"x" * (MAX_WORD + 1)
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
# Old senders write both a Z and an offset: 2012-10-29T13:42:11Z+0200.
_ZULU_OFFSET = re.compile(r"[zZ]\s*([+-]\d\d:?\d\d)\Z")
_LEAP = re.compile(r":60(?=[^\d]|\Z)")
_INT64 = range(-2 ** 63, 2 ** 63)


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What one event may be at most.

    :ivar event_bytes: size of its canonical bytes
    :ivar depth: nested containers in the payload, the payload itself being 1
    :ivar keys: keys in the payload, all levels together
    """

    event_bytes: int = 256 * 1024
    depth: int = 20
    keys: int = 2000


def event_id(project_id: str, source_id: str) -> str:
    """Return the event's identity.

    A function of the tenant and of the id that the source gave, so that a
    repeat is recognised wherever it enters, and one tenant cannot take the
    identity of another's event.
    """
    # uuid.uuid5 spelt out: it costs a quarter, and every event needs one.
    sha1 = _NAMESPACE.copy()
    sha1.update(f"{project_id}\n{source_id}".encode())
    digest = sha1.hexdigest()
    return (f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-"
            f"{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}")


def format_time(moment: datetime.datetime) -> str:
    """Return canonical text: ISO 8601, UTC, microseconds, ``Z``."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") \
        if moment.year < 1000 else \
        moment.replace(tzinfo=None).isoformat("T", "microseconds") + "Z"


def parse_time(value) -> datetime.datetime:
    """Return an aware datetime in UTC.

    :param value: ISO 8601 text with ``T`` or a space, with or without a
        fraction and zone (none means UTC, as oslo.messaging writes it), also
        ``…Z+0200`` as old Monasca agents write it (the offset counts); or
        seconds or milliseconds since the epoch as a number
    :raises Rejected: it is none of these
    """
    try:
        if type(value) is str:
            text = value.strip()
            found = _ZULU_OFFSET.search(text)
            if found:
                text = text[:found.start()] + found.group(1)
            # A leap second has no place in datetime: take the second before.
            text = _LEAP.sub(":59", text, count=1)
            moment = datetime.datetime.fromisoformat(text)
        elif type(value) in (int, float):
            # 1e11 seconds is the year 5138, 1e11 milliseconds is 1973.
            seconds = value / 1000 if abs(value) >= 1e11 else value
            moment = datetime.datetime.fromtimestamp(
                seconds, datetime.timezone.utc)
        else:
            raise ValueError(value)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=datetime.timezone.utc)
        return moment.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        shown = repr(value)[:64]
        raise Rejected(f"{shown} is not a time; expected ISO 8601 such as "
                       "2026-01-31T23:59:59.000000Z",
                       code="invalid_timestamp") from None


def strings(payload, limits: Limits) -> list[str]:
    """Return every string value in ``payload``, checking its shape on the way.

    One walk for both, level by level, because this is the hot path.

    :raises Rejected: the payload is too deep or has too many keys
    """
    found: list[str] = []
    level = [payload]
    depth = keys = 0
    while level:
        depth += 1
        if depth > limits.depth:
            raise TooLarge(
                f"the payload is nested more than {limits.depth} levels deep",
                code="too_deep", where="payload")
        below = []
        for container in level:
            if type(container) is dict:
                keys += len(container)
                container = container.values()
            for value in container:
                kind = type(value)
                if kind is str:
                    found.append(value)
                elif kind is dict or kind is list:
                    below.append(value)
        if keys > limits.keys:
            raise TooLarge(f"the payload has more than {limits.keys} keys",
                           code="too_many_keys", where="payload")
        level = below
    return found


def words(texts: Iterable[str]) -> list[str]:
    """Return the lower-case words of some texts, each once.

    A word with inner punctuation counts whole and in parts, so that
    ``compute-7.example.org`` is found by itself and by ``example``; a UUID
    counts whole only, its parts being noise.
    """
    text = "\n".join(texts)
    if text.isascii():
        return [word.decode() for word in _ascii_words(text)]
    return _words(text)


def _words(text: str) -> list[str]:
    found = set(_WORD.findall(text.lower()))
    apart = [word for word in found if not word.isalnum()
             and not (len(word) == 36 and _UUID.match(word.encode()))]
    found.update(_PART.findall("\n".join(apart)))
    return [word for word in found if len(word) <= MAX_WORD]


def _ascii_words(text: str) -> set[bytes]:
    # Bytes are translated several times as fast as text, and nobody needs
    # them as text: this is the hot path.
    raw = text.encode().translate(_SMALL_WORDS)
    found = set(raw.split())
    outer = [*itertools.filterfalse(bytes.isalnum, found)]
    if outer:
        composed = [word.strip(_INNER) for word in outer]
        if composed != outer:
            found.difference_update(outer)
            found.update(composed)
        found.update(b"\n".join([
            word for word in composed
            if len(word) != 36 or not _UUID.match(word)
        ]).translate(_SMALL_PARTS).split())
        found.discard(b"")
    if _LONG_WORD in raw.translate(_SHAPES):
        return {word for word in found if len(word) <= MAX_WORD}
    return found


def _words_as_json(texts: Iterable[str]) -> bytes:
    text = "\n".join(texts)
    if not text.isascii():
        return orjson.dumps(_words(text))
    found = _ascii_words(text)
    # There is nothing in them that JSON escapes.
    return b'["%b"]' % b'","'.join(found) if found else b"[]"


def trait_type(value) -> str | None:
    """Return a trait's type, or None where the value cannot be one."""
    kind = type(value)
    if kind is str:
        return "datetime" if _is_canonical_time(value) else "string"
    if kind is bool:
        return "boolean"
    if kind is int:
        return "integer" if value in _INT64 else None
    if kind is float:
        return "float"
    return None


def _is_canonical_time(text: str) -> bool:
    return (len(text) == 27 and text[10] == "T" and text[26] == "Z"
            and text[4] == "-" and text[19] == ".")


def comparable(value) -> str:
    """Return text that sorts as the values do, a letter for the type first.

    Numbers become the 16 hexadecimal digits of their IEEE 754 binary64 with
    the sign bit flipped (all bits for a negative), which sorts as a string
    the way the numbers sort. Integers and floats compare with one another;
    beyond 2**53 neighbouring integers compare equal.
    """
    kind = type(value)
    if kind is str:
        return ("d" if _is_canonical_time(value) else "s") + value
    if kind is bool:
        return "b1" if value else "b0"
    bits, = struct.unpack(">Q", struct.pack(">d", value + 0.0))
    bits = bits ^ 0xFFFFFFFFFFFFFFFF if bits >> 63 else bits | 1 << 63
    return f"n{bits:016x}"


def searchable(event: Mapping, texts: Iterable[str]) -> bytes:
    """Return the JSON of what is searched but not shown.

    It travels in the header ``index`` so that the persister can add it to the
    stored bytes without decoding them: ``words``; ``traits`` as
    ``name=`` + :func:`comparable`; ``trait_types`` as ``name:type``;
    ``dimensions`` as ``name=value``.

    :param texts: the payload's strings, as :func:`strings` found them
    """
    traits = event["traits"]
    dimensions = event["dimensions"]
    texts = [*texts, event["event_type"], event["publisher_id"] or "",
             event["resource_id"] or "", event["request_id"] or ""]
    terms: list[str] = []
    types: list[str] = []
    for name, value in traits.items():
        if type(value) is str:
            texts.append(value)
            if _is_canonical_time(value):
                terms.append(f"{name}=d{value}")
                types.append(f"{name}:datetime")
            else:
                terms.append(f"{name}=s{value}")
                types.append(f"{name}:string")
        else:
            term, kind = _term_and_type(name, value)
            terms.append(term)
            types.append(kind)
    texts.extend(dimensions.values())
    return b'{"words":%b,%b' % (_words_as_json(texts), orjson.dumps({
        "traits": terms, "trait_types": types,
        "dimensions": [f"{name}={value}"
                       for name, value in dimensions.items()]})[1:])


@functools.lru_cache(maxsize=8192, typed=True)
def _term_and_type(name: str, value) -> tuple[str, str]:
    # Most numbers and booleans come again and again.
    return f"{name}={comparable(value)}", f"{name}:{trait_type(value)}"


def _check_trait_names(names: Iterable[str], where: str) -> None:
    for name in names:
        if not _TRAIT_NAME.match(name):
            raise Rejected(
                f"{where} has the name {name[:80]!r}; expected a letter or _ "
                "and up to 63 letters, digits, '_', '-' or '.'",
                code="invalid_traits", where=where)


# Events of one type have the same traits. Wrong names, which may be of any
# length, are not kept: what is raised is not.
_check_known_names = functools.lru_cache(maxsize=1024)(_check_trait_names)


def check_traits(traits, where: str = "traits") -> dict:
    """Return the traits; raise Rejected unless they are flat typed values."""
    if not isinstance(traits, dict):
        raise Rejected(f"{where} is {_kind(traits)}; expected an object of "
                       "flat values", code="invalid_traits", where=where)
    if len(traits) <= _FEW_TRAITS:
        _check_known_names(tuple(traits), where)
    else:
        _check_trait_names(traits, where)
    for name, value in traits.items():
        kind = type(value)
        # Spelt out rather than asked of trait_type: this is the hot path.
        if not (len(value) <= MAX_STRING if kind is str else
                value in _INT64 if kind is int else
                kind is bool or kind is float):
            raise Rejected(
                f"{where}.{name} is {_kind(value)}; expected a string of at "
                f"most {MAX_STRING} characters, a 64-bit integer, a number "
                "or a boolean", code="invalid_traits",
                where=f"{where}.{name}")
    return traits


def _kind(value) -> str:
    return {dict: "an object", list: "an array", str: "a string",
            int: "a number", float: "a number", bool: "a boolean",
            type(None): "null"}.get(type(value), type(value).__name__)


def encode(event: Mapping, limits: Limits = Limits()) -> bytes:
    """Return the canonical bytes of a complete event.

    :raises TooLarge: they exceed ``limits.event_bytes``
    :raises Rejected: something in it has no JSON form
    """
    try:
        value = orjson.dumps(event)
    except TypeError as error:
        raise Rejected(f"the event cannot be encoded: {error}",
                       code="invalid_event") from None
    if len(value) > limits.event_bytes:
        raise TooLarge(
            f"the event has {len(value)} bytes; at most "
            f"{limits.event_bytes} are accepted", code="event_too_large")
    return value


def record(event: Mapping, limits: Limits = Limits()) -> Record:
    """Return the bus record of a complete canonical event.

    :param event: a dict with every key of FIELDS, in that order
    :raises Rejected: it exceeds ``limits`` or has no JSON form
    """
    texts = strings(event["payload"], limits)
    value = encode(event, limits)
    return Record(
        key=event["project_id"].encode(),
        value=value,
        headers={"event_id": event["event_id"].encode(),
                 "event_type": event["event_type"].encode(),
                 "timestamp": event["timestamp"].encode(),
                 "schema": SCHEMA,
                 "index": searchable(event, texts)})
