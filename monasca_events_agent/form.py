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


"""Forms: what has been seen to be harmless at each place of a payload.

A form is made of an example that the walk would leave as it is, and grows by
merging the forms of others. It names keys and kinds of values only: whatever
is of the form needs no look at its keys, whoever wrote its texts. Pure.
"""

from collections.abc import Mapping
import dataclasses
from typing import Protocol

#: An object with more keys, in an example, is left to the walk.
MAX_KEYS = 128

_SCALARS = frozenset((str, int, float, bool, type(None)))
# The keys of {"key": "db_password", "value": …}.
_NAMES = frozenset(("key", "name", "parameter_key"))


class NotPlain(Exception):
    """The example has something that only the walk can judge."""


class Blank:
    """Stands for the kind of an empty text, where no other may be."""


class Judge(Protocol):
    """What has to be known of keys."""

    def is_plain(self, key: str, kind: type) -> bool:
        """Return whether every value of this kind may stay at the key."""

    def is_loose(self, key: str) -> bool:
        """Return whether users choose the keys of the object at the key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """What may stand at one place.

    :ivar kinds: types of the values that are no containers
    :ivar fields: the keys of an object, each with the form of its value
    :ivar always: those among them that were never missing
    :ivar users: of an object with keys of the users' choice, its values'
    :ivar wrapped: of an object that its wrapped one replaces, that one's
    :ivar items: of a list, the form of its items
    """

    kinds: frozenset[type] = frozenset()
    fields: Mapping[str, "Form"] | None = None
    always: frozenset[str] = frozenset()
    users: "Form | None" = None
    wrapped: "Form | None" = None
    items: "Form | None" = None

    @property
    def size(self) -> int:
        """How many fields there are in it, all levels together."""
        fields = self.fields or {}
        return len(fields) + sum(below.size for below in (
            *fields.values(), self.users, self.wrapped, self.items)
            if below is not None)

    @property
    def contains(self) -> bool:
        """Whether a container may stand there."""
        return any(below is not None for below in (
            self.fields, self.users, self.wrapped, self.items))


NOTHING = Form()


@dataclasses.dataclass(frozen=True, slots=True)
class Reader:
    """Makes forms of examples.

    :ivar strict: judges keys
    :ivar loose: judges keys that users chose
    :ivar wrapper: key of what replaces the object that has it
    """

    strict: Judge
    loose: Judge
    wrapper: str | None

    def read(self, value, room: int, *, loose: bool = False,
             listed: bool = False) -> Form:
        """Return the form of an example.

        :param room: levels of containers that there may be
        :param loose: whether it stands below a key of the users' choice
        :param listed: whether it stands in a list
        :raises NotPlain: the walk would change it, or might
        """
        kind = type(value)
        if kind in _SCALARS:
            return Form(frozenset((kind,)))
        if kind is dict and self.wrapper is not None \
                and self.wrapper in value:
            inner = value[self.wrapper]
            if type(inner) is not dict:
                raise NotPlain
            return Form(wrapped=self.read(inner, room, loose=loose,
                                          listed=listed))
        if room <= 0:
            raise NotPlain
        if kind is list:
            items = NOTHING
            for item in value:
                items = merge(items, self.read(item, room - 1, loose=loose,
                                               listed=True))
            return Form(items=items)
        if kind is not dict or len(value) > MAX_KEYS:
            raise NotPlain
        if loose and not (listed and not value):
            return self._users(value, listed)
        return self._object(value, room - 1, listed)

    def _object(self, value: dict, room: int, listed: bool) -> Form:
        fields = {}
        judge = self.strict
        for key, below in value.items():
            if type(key) is not str or not key.isprintable():
                raise NotPlain
            if judge.is_plain(key, type(below)):
                fields[key] = self.read(below, room, listed=listed,
                                        loose=judge.is_loose(key))
            elif below == "" and judge.is_plain(key, Blank):
                fields[key] = Form(frozenset((Blank,)))
            else:
                raise NotPlain
        return _checked(Form(fields=fields, always=frozenset(fields)))

    def _users(self, value: dict, listed: bool) -> Form:
        # A place in a list has no path by which its keys could be checked.
        if listed or "value" in value:
            raise NotPlain
        kinds = frozenset(map(type, value.values()))
        if not kinds <= _SCALARS or not all(
                type(key) is str and self.loose.is_plain(key, str)
                for key in value):
            raise NotPlain
        return Form(users=Form(kinds))


def merge(one: Form, other: Form) -> Form:
    """Return the form of what is of either.

    :raises NotPlain: there is none
    """
    if one == other or other == NOTHING:
        return one
    fields, always = other.fields, other.always
    if one.fields is not None:
        fields, always = one.fields, one.always
        if other.fields is not None:
            fields = {key: _either(one.fields.get(key), other.fields.get(key))
                      for key in (*one.fields, *other.fields)}
            always &= other.always
    return _checked(Form(
        one.kinds | other.kinds, fields, always,
        _either(one.users, other.users), _either(one.wrapped, other.wrapped),
        _either(one.items, other.items)))


def _either(one: Form | None, other: Form | None) -> Form | None:
    if one is None or other is None:
        return other if one is None else one
    return merge(one, other)


def _checked(form: Form) -> Form:
    """Return the form; raise NotPlain where it says too much."""
    if sum(below is not None for below in (
            form.fields, form.users, form.wrapped)) > 1:
        raise NotPlain
    fields = form.fields
    if fields is not None and (len(fields) > MAX_KEYS or (
            "value" in fields and not _NAMES.isdisjoint(fields))):
        # Whether a value is a secret may depend on the name beside it.
        raise NotPlain
    return form
