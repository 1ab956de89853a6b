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


"""Recipes: what a definition comes to for payloads of one shape.

A definition names many places where a trait or an id may stand; a payload has
some of them, and always the same ones where its shape is the same. So it is
worked out once which places are worth a look, and which values are traits as
they are: those are taken and put together by msgspec, which is written in C.
The normaliser asks for recipes. No I/O.
"""

from collections.abc import Callable
from collections.abc import Sequence

import msgspec

from monasca_events_agent import traits
from monasca_events_agent.definition_schema import ID_KEYS
from monasca_events_agent.definitions import Plan
from monasca_events_agent.form import Blank
from monasca_events_agent.form import Form
from monasca_events_agent.paths import Place
from monasca_events_agent.shape import attribute
from monasca_events_agent.shape import Shape
from monasca_events_agent.shape import taker
from monasca_events_common.event import MAX_STRING

#: Takes a payload and returns an id, if it has it.
Finder = Callable[[dict], str | None]

#: Ids, in the order of ``ID_KEYS``.
IDS = len(ID_KEYS)

_ABSENT = frozenset((type(None),))
_TEXT = frozenset((str,)) | _ABSENT
# Values that are a trait of a type as they are.
_AS_IT_IS = {traits.string: str, traits.moment: str, traits.integer: int,
             traits.boolean: bool, traits.floating: float}
# Recipes that a shape remembers; senders choose the event types.
_RECIPES = 64


class Recipe:
    """Where to look in payloads of one shape.

    :ivar ids: takes the ids out of a parsed payload; one that does not stand
        where it should is None
    :ivar take: takes what ``traits`` is made of out of a parsed payload
    :ivar traits: makes the traits whose values are as they should be; an
        instance as a builtin has those that are not empty
    :ivar nullable: those traits that may nevertheless be an empty text
    :ivar times: those that have to become times
    :ivar finders: by id, in the order of ``ID_KEYS``, what finds it where
        ``take`` did not; None where that would be in vain
    :ivar projects: functions that look for the project, best first
    :ivar rest: of each trait that may be missing its name, its converter,
        and functions that look for it, best first
    """

    __slots__ = ("ids", "take", "traits", "nullable", "times", "finders",
                 "projects", "rest")

    def __init__(self, plan: Plan, form: Form | None) -> None:
        """:param form: the payload's; None where it is not known"""
        ids = []
        finders = []
        for key in ID_KEYS:
            found = _promising(form, plan.ids[key])
            direct = bool(found) and _stands(form, found[0], str)
            ids.append(attribute(form, found[0].names) if direct else None)
            finders.append(_finder(found) if found[direct:] else None)
        self.ids = taker(ids)
        self.finders = tuple(finders)
        self.projects = tuple(place.get for place in _promising(
            form, plan.ids["project_id"]))
        taken: list[str] = []
        fields: list[tuple] = []
        nullable = []
        times = []
        rest = []
        for name, convert, places in plan.traits:
            found = _promising(form, places)
            direct = bool(found) and name.isidentifier() \
                and _stands(form, found[0], _AS_IT_IS[convert])
            if direct:
                kinds = _kinds(form, found[0].names)
                taken.append(attribute(form, found[0].names))
                fields.append((name, object, "" if kinds == {str} else None))
                if kinds == _TEXT:
                    nullable.append(name)
                if convert is traits.moment:
                    times.append(name)
            if found[direct:]:
                rest.append((name, convert,
                             tuple(place.get for place in found)))
        self.take = taker(taken)
        self.traits = msgspec.defstruct("Traits", fields, omit_defaults=True,
                                        gc=False)
        self.nullable = tuple(nullable)
        self.times = tuple(times)
        self.rest = tuple(rest)


def recipe_for(plan: Plan, shape: Shape | None) -> Recipe:
    """Return the recipe, from memory after the first time."""
    memory = plan.recipes if shape is None else shape.recipes
    recipe = memory.get(plan)
    if recipe is None:
        if len(memory) >= _RECIPES:
            memory.clear()
        recipe = memory[plan] = Recipe(plan, shape and shape.form)
    return recipe


def _finder(places: Sequence[Place]) -> Finder:
    getters = tuple(place.get for place in places)

    def find(payload):
        for get in getters:
            value = get(payload)
            if type(value) is str and value:
                return value[:MAX_STRING]
            if type(value) is int:
                return str(value)
        return None
    return find


def _promising(form: Form | None, places: Sequence[Place]) -> list[Place]:
    """Return the places among these where something may be."""
    return [place for place in places
            if _kinds(form, place.names) != _ABSENT]


def _kinds(form: Form | None, names: Sequence[str]) -> frozenset | None:
    """Return the types of the values at a place, NoneType for nothing; None
    where the form does not tell."""
    if form is None:
        return None
    for number, name in enumerate(names, 1):
        below = _object(form).fields.get(name)
        if below is None:
            return _ABSENT
        if below.items is not None or below.users is not None:
            return None
        inner = _object(below)
        if number == len(names):
            return None if inner.fields is not None else frozenset(
                str if kind is Blank else kind for kind in below.kinds)
        if inner.fields is None:
            return None if names[number] == "/" else _ABSENT
        form = inner
    return None


def _stands(form: Form | None, place: Place, kind: type) -> bool:
    """Return whether there always is a value of the kind, or null, at the
    place, and that through objects which always are there."""
    if form is None or _kinds(form, place.names) not in (
            {kind}, {kind, type(None)}):
        return False
    for name in place.names:
        form = _object(form)
        if name not in form.always:
            return False
        form = form.fields[name]
        if name is not place.names[-1] and form.kinds:
            return False
    return True


def _object(form: Form) -> Form:
    while form.wrapped is not None:
        form = form.wrapped
    return form
