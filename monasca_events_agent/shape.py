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


"""Shapes: forms of payloads, compiled, so that checking one takes a moment.

A cloud's notifications have few shapes, repeated without end. What the rules
say about the keys of one is worked out when it is first met. Afterwards a
schema of msgspec, which is written in C, tells whether a payload is of its
shape; then the walk would leave it as it is, but for what is in its texts.
Whatever is of no known shape is walked, and learned where it is harmless.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from operator import itemgetter
from typing import Annotated
from typing import Union

import msgspec
from msgspec import convert
from msgspec import ValidationError

from monasca_events_agent.form import Blank
from monasca_events_agent.form import Form
from monasca_events_agent.form import Judge
from monasca_events_agent.form import MAX_KEYS
from monasca_events_agent.form import merge
from monasca_events_agent.form import NotPlain
from monasca_events_agent.form import NOTHING
from monasca_events_agent.form import Reader

# Fields of all shapes that are remembered; each takes some 300 bytes.
_FIELDS = 16 * 1024
# Payloads of unknown shapes after which a full memory begins anew: senders
# choose the shapes, and learning one takes as long as walking twenty.
_PATIENCE = 8192
# Shapes that are tried before the keys are looked at.
_LIKELY = 4096
# Examples from which one shape learns; afterwards every doubling of their
# number gives one more a chance.
_LESSONS = 64

_EMPTY = msgspec.Meta(max_length=0)
# Numbers within the limits that an event has. Where only floats were seen,
# msgspec takes an integer too.
_TYPES = {
    str: str, bool: bool, type(None): None,
    Blank: Annotated[str, _EMPTY],
    int: Annotated[int, msgspec.Meta(ge=-2 ** 63, le=2 ** 63 - 1)],
    float: Annotated[float, msgspec.Meta(gt=-2 ** 63, lt=2 ** 63)]}

# Bytes of a root's key, beside its own, and of a value that is no text.
_BESIDES = len('"":,') + len("-1.7976931348623157e+308")

# What is raised for a payload of no shape, or of another one.
_UNFIT = (KeyError, ValidationError, UnicodeEncodeError)

Unwrap = Callable[[object], object]


class Parsed(msgspec.Struct, gc=False):
    """An object of a known form, taken apart; :func:`attribute` says how."""


class Shape:
    """The payloads of one form.

    :ivar form: what it was made of
    :ivar schema: what msgspec takes only if it is of the form
    :ivar unwrap: takes wrappers out of such a payload; None without any
    :ivar texts: takes out of a parsed payload all that may have a text in it
    :ivar overhead: bytes that all else takes in JSON, at most
    :ivar users: take out of it what may have keys of the users' choice
    :ivar recipes: whatever somebody remembers of it
    """

    __slots__ = ("form", "schema", "unwrap", "texts", "overhead", "users",
                 "recipes")

    def __init__(self, form: Form, wrapper: str | None) -> None:
        """
        :param form: of an object
        :param wrapper: key of what replaces the object that has it
        :raises ValueError: a key is one that msgspec cannot take
        """
        self.form = form
        self.schema = _struct(form, wrapper)
        self.unwrap = _unwrapper(form, wrapper)
        self.texts = taker(tuple(_texts(form)))
        self.overhead = _overhead(form)
        self.users = tuple(_follower(path) for path in _users(form, ()))
        self.recipes: dict = {}


class _Learner:
    """The payloads with the same keys at their root."""

    __slots__ = ("shape", "_examples")

    def __init__(self) -> None:
        self.shape: Shape | None = None
        self._examples = 0

    def learn(self, source: dict, room: int, reader: Reader) -> int:
        """Grow so that the payload is of the shape, where that may be; return
        by how many fields."""
        self._examples += 1
        if self._examples > _LESSONS and self._examples.bit_count() > 1:
            return 0
        known = NOTHING if self.shape is None else self.shape.form
        try:
            grown = merge(known, reader.read(source, room))
            if grown == known or grown.size > _FIELDS // 16:
                return 0
            self.shape = Shape(grown, reader.wrapper)
        except (NotPlain, ValueError):
            return 0
        return grown.size - known.size


class Shapes:
    """All shapes under one set of rules."""

    def __init__(self, strict: Judge, loose: Judge) -> None:
        self._strict = strict
        self._loose = loose
        self._known: dict[tuple, _Learner] = {}
        self._likely: dict[tuple, Shape] = {}
        self._fields = self._unknown = 0

    def examine(self, source: dict, depth: int, wrapper: str | None,
                likely: str = "") -> tuple[dict, Shape, Parsed] | None:
        """Return the payload where the walk would leave it so, but for
        wrappers and texts; None where it has to be walked.

        It comes without wrappers and shares what it can with the source;
        beside it come its shape, and what that made of it.

        :param depth: levels of containers at most, the payload being one
        :param wrapper: key of what replaces the object that has it
        :param likely: what payloads of the same shape likely have in common
        """
        if wrapper is not None:
            while wrapper in source:
                source = source[wrapper]
                if type(source) is not dict:
                    return None
        try:
            shape = self._likely[likely, wrapper, depth]
            parsed = convert(source, shape.schema)
        except _UNFIT:
            try:
                shape = self._find(source, depth, wrapper)
                parsed = convert(source, shape.schema)
            except _UNFIT:
                self._learn(source, depth, wrapper)
                return None
            if len(self._likely) >= _LIKELY:
                self._likely.clear()
            self._likely[likely, wrapper, depth] = shape
        if shape.unwrap is not None:
            source = shape.unwrap(source)
        for users in shape.users:
            found = users(source)
            # Whether a value is a secret may depend on the name beside it.
            if found and type(found) is dict and (
                    "value" in found or not self._loose.are_plain(found)):
                return None
        return source, shape, parsed

    def _find(self, source: dict, depth: int, wrapper: str | None) -> Shape:
        """Return the shape by the payload's keys. Raises KeyError."""
        if len(source) > MAX_KEYS:
            raise KeyError
        shape = self._known[depth, wrapper, *source].shape
        if shape is None:
            raise KeyError
        return shape

    def _learn(self, source: dict, depth: int, wrapper: str | None) -> None:
        if len(source) > MAX_KEYS:
            return
        if self._fields >= _FIELDS:
            self._unknown += 1
            if self._unknown < _PATIENCE:
                return
            self._known.clear()
            self._likely.clear()
            self._fields = self._unknown = 0
        key = (depth, wrapper, *source)
        learner = self._known.get(key)
        if learner is None:
            learner = self._known[key] = _Learner()
            self._fields += 1 + len(source)
        self._fields += learner.learn(
            source, depth, Reader(self._strict, self._loose, wrapper))


def attribute(form: Form, names: Sequence[str]) -> str:
    """Return where a parsed object of the form has what is at a path.

    The path must lead through objects to a field.
    """
    parts = []
    for name in names:
        while form.wrapped is not None:
            parts.append("wrapped")
            form = form.wrapped
        parts.append(f"f{list(form.fields).index(name)}")
        form = form.fields[name]
    return ".".join(parts)


def taker(attributes: Sequence[str | None]) -> Callable[[Parsed], tuple]:
    """Return a function that takes attributes of a parsed payload.

    Written out, which is three times as fast as operator.attrgetter. The
    text holds nothing but the names that are made of numbers here.
    """
    values = "".join("None," if one is None else f"parsed.{one},"
                     for one in attributes)
    return eval(f"lambda parsed: ({values})", {})  # noqa: S307


def _schema(form: Form, wrapper: str | None):
    """Return what msgspec takes only if it is of the form.

    :raises ValueError: a key is one that msgspec cannot take
    """
    taken: list = [_TYPES[kind] for kind in form.kinds]
    if form.wrapped is not None:
        # Whatever else is in there goes with the wrapper.
        taken.append(msgspec.defstruct(
            "Wrapped", [("wrapped", _schema(form.wrapped, wrapper))],
            rename={"wrapped": wrapper}, gc=False))
    if form.users is not None:
        taken.append(
            Annotated[dict, _EMPTY] if form.users == NOTHING
            else dict[str, _schema(form.users, wrapper)])
    if form.fields is not None:
        taken.append(_struct(form, wrapper))
    if form.items is not None:
        taken.append(Annotated[list, _EMPTY] if form.items == NOTHING
                     else list[_schema(form.items, wrapper)])
    return Union[tuple(taken)]  # noqa: UP007


def _struct(form: Form, wrapper: str | None) -> type[Parsed]:
    names = {f"f{number}": key for number, key in enumerate(form.fields)}
    fields: list[tuple] = []
    for name, key in names.items():
        schema = _schema(form.fields[key], wrapper)
        fields.append((name, schema) if key in form.always
                      else (name, schema, None))
    return msgspec.defstruct(
        "Object", fields, bases=(Parsed,), rename=names, kw_only=True,
        forbid_unknown_fields=True, gc=False)


def _users(form: Form, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of objects whose keys are the users' choice."""
    if form.users is not None:
        yield path
    if form.wrapped is not None:
        yield from _users(form.wrapped, path)
    for key, below in (form.fields or {}).items():
        yield from _users(below, (*path, key))


def _follower(path: Sequence[str]) -> Callable[[dict], object]:
    """Return a function that follows keys as far as there are objects."""
    if len(path) == 1:
        return lambda source: source.get(path[0])

    def follow(source):
        for key in path:
            source = source.get(key) if type(source) is dict else None
        return source
    return follow


def _texts(form: Form, before: str = "") -> Iterator[str]:
    """Yield the attributes of a parsed object that may have a text in them.

    Of an object that is always there, its own are named instead of it: the
    less has to be looked at, the better.
    """
    for number, (key, below) in enumerate(form.fields.items()):
        path = f"{before}f{number}"
        inner = below
        while inner.wrapped is not None:
            path += ".wrapped"
            inner = inner.wrapped
        if inner.fields is not None and key in form.always \
                and not below.kinds and below.items is None:
            yield from _texts(inner, path + ".")
        elif str in below.kinds or below.contains:
            yield f"{before}f{number}"


def _overhead(form: Form) -> int:
    """Return the bytes in JSON of all that ``_texts`` does not name."""
    while form.wrapped is not None:
        form = form.wrapped
    return sum(len(key.encode()) + _BESIDES + _overhead(below)
               for key, below in (form.fields or {}).items())


def _unwrapper(form: Form, wrapper: str | None) -> Unwrap | None:
    """Return what takes the wrappers out of what is of the form."""
    of_object = _object_unwrapper(form, wrapper)
    of_item = form.items and _unwrapper(form.items, wrapper)
    if of_object is None and of_item is None:
        return None
    if of_item is None and not form.kinds and form.items is None:
        return of_object

    def unwrap(value):
        kind = type(value)
        if kind is dict and of_object is not None:
            return of_object(value)
        if kind is list and of_item is not None:
            return [of_item(item) for item in value]
        return value
    return unwrap


def _object_unwrapper(form: Form, wrapper: str | None) -> Unwrap | None:
    if form.wrapped is not None:
        take = itemgetter(wrapper)
        inner = _unwrapper(form.wrapped, wrapper)
        return take if inner is None else lambda value: inner(take(value))
    turns = tuple(
        (key, unwrap) for key, below in (form.fields or {}).items()
        if (unwrap := _unwrapper(below, wrapper)) is not None)
    if not turns:
        return None

    def unwrap(value):
        value = value.copy()
        for key, turn in turns:
            if key in value:
                value[key] = turn(value[key])
        return value
    return unwrap
