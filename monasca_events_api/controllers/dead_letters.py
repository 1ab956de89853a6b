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


"""``/v1.0/dead-letters``: what could not go on, for operators.

Letters are of no project's API: some have no project, and a tenant must not
learn from them what another sent. Each call looks at a bounded number of
them; what acts on many says where the next call goes on.
"""

from collections.abc import Mapping
import contextlib

import pecan

from monasca_events_api import context
from monasca_events_api import documents
from monasca_events_api import filters
from monasca_events_api.controllers import resource
from monasca_events_api.policies import dead_letters as rules
from monasca_events_common.deadletters import plain
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_common.replayers import Replayers

#: Names of what narrows the letters.
_FILTERS = ("stage", "code", "project_id")

#: Letters that one request acts on at most.
_AT_ONCE = 100

#: SQL's 64 bits.
_MOST = 2 ** 63 - 1


class DeadLettersController:
    """The collection."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts
        self.replay = ReplayController(parts)
        self.purge = PurgeController(parts)

    @pecan.expose()
    def _lookup(self, letter_id, *rest):
        number = _number(letter_id)
        if number is None:
            raise NotFound("There is nothing at this address.")
        return DeadLetterController(self._parts, number), rest

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        parts.policy.authorize(context.of_request(req.environ), rules.LIST)
        asked = filters.parse_listing(
            req.query_string, parts.conf.limits, own=("stage", "code"))
        if asked.all_projects:
            # All of them is what is listed anyway.
            raise filters.unknown("all_projects")
        after = 0 if asked.query.marker is None \
            else _number(asked.query.marker)
        if after is None:
            raise Rejected("the marker is not one that this service gave",
                           code="invalid_marker", where="marker")
        limit = asked.query.limit
        found = parts.dead_letters.list(
            **asked.rest, project_id=asked.project_id, after=after,
            limit=limit + 1, whole=False)
        links = resource.links(
            parts, req, "dead-letters",
            str(found[limit - 1].id) if len(found) > limit else None)
        return resource.answer(
            {"dead_letters": [_brief(plain(one)) for one in found[:limit]],
             "links": links},
            headers={"Link": resource.link_header(links)})


class DeadLetterController:
    """One letter."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, letter_id: int) -> None:
        self._parts = parts
        self._id = letter_id
        self.replay = ReplayOneController(parts, letter_id)

    @resource.reads(index)
    def show(self, req, resp):
        resource.caller(self._parts, req, rules.SHOW)
        found = self._parts.dead_letters.get(self._id)
        return resource.answer({**plain(found), "size": len(found.raw)})

    @index.when("DELETE")
    def delete(self, req, resp):
        resource.caller(self._parts, req, rules.PURGE)
        if not self._parts.dead_letters.remove([self._id]):
            raise NotFound(f"there is no dead letter {self._id}")
        return resource.empty()


class ReplayOneController:
    """``…/{id}/replay``: send one letter on its way again."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts, letter_id: int) -> None:
        self._parts = parts
        self._id = letter_id

    @index.when("POST")
    def post(self, req, resp):
        resource.caller(self._parts, req, rules.REPLAY)
        documents.take(documents.read_options(req.environ))
        with _replaying(self._parts) as replay:
            replay(self._id)
        return resource.answer({"id": self._id}, status=202)


class ReplayController:
    """``…/replay``: send letters on their way again."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @index.when("POST")
    def post(self, req, resp):
        resource.caller(self._parts, req, rules.REPLAY)
        ids, after = _chosen(self._parts, documents.read_document(
            req.environ))
        done, failed, left = 0, [], []
        with _replaying(self._parts) as replay:
            for at, number in enumerate(ids):
                try:
                    replay(number)
                except Unavailable:
                    if not done:
                        raise
                    # The next would wait as long and fail alike.
                    left = ids[at:]
                    break
                except EventsError as error:
                    failed.append({"id": number, "code": error.code,
                                   "message": str(error)})
                else:
                    done += 1
        return resource.answer({"replayed": done, "failed": failed,
                                "left": left, "after": after}, status=202)


class PurgeController:
    """``…/purge``: forget letters."""

    index = resource.methods()

    def __init__(self, parts: resource.Parts) -> None:
        self._parts = parts

    @index.when("POST")
    def post(self, req, resp):
        resource.caller(self._parts, req, rules.PURGE)
        ids, after = _chosen(self._parts, documents.read_document(
            req.environ))
        return resource.answer({
            "purged": self._parts.dead_letters.remove(ids), "after": after})


def _brief(letter: dict) -> dict:
    """Return a letter's JSON without its bytes, as a list shows it."""
    del letter["raw"], letter["headers"]
    return letter


@contextlib.contextmanager
def _replaying(parts: resource.Parts):
    """Return a function that replays the letter of an id."""
    with contextlib.closing(Replayers(parts.conf, parts.dead_letters)
                            ) as replayers:
        def replay(number: int) -> None:
            stage = parts.dead_letters.get(number).stage
            if stage not in parts.conf.api.replay_stages:
                raise Conflict(
                    f"letters of the stage {stage} cannot be replayed from "
                    "here; use monasca-events-dead-letters on its host",
                    code="not_replayable")
            try:
                replayers.replay(number)
            except Rejected as error:
                raise Conflict(f"it was refused again: {error}",
                               code="refused_again") from error
            except Misconfigured as error:
                raise Conflict(f"the stage {stage} has nothing here that "
                               f"replays its letters: {error}",
                               code="not_replayable") from error
        yield replay


def _chosen(parts: resource.Parts, document: Mapping
            ) -> tuple[list[int], int | None]:
    """Return the ids that a request means, and behind which one to go on.

    The latter is None where there are no more.

    :raises Rejected: it does not say clearly which
    """
    ids, everything, after, *narrowing = documents.take(
        document, "ids", "all", "after", *_FILTERS)
    if ids is not None:
        if everything is not None or after is not None or any(narrowing):
            raise _wrong("ids", "and filters beside it; expected one of both")
        return _listed(ids), None
    if everything is not True:
        raise _wrong("all", "no true value, and there are no ids")
    for name, value in zip(_FILTERS, narrowing, strict=True):
        if value is not None and type(value) is not str:
            raise _wrong(name, "no string")
    if after is not None and not _is_id(after):
        raise _wrong("after", "no number of a letter")
    found = parts.dead_letters.list(
        **dict(zip(_FILTERS, narrowing, strict=True)), after=after or 0,
        limit=_AT_ONCE + 1, whole=False)
    ids = [one.id for one in found[:_AT_ONCE]]
    return ids, ids[-1] if len(found) > _AT_ONCE else None


def _listed(ids) -> list[int]:
    if not (type(ids) is list and 0 < len(ids) <= _AT_ONCE
            and all(map(_is_id, ids))):
        raise _wrong("ids", f"no array of 1 to {_AT_ONCE} numbers of letters")
    return list(dict.fromkeys(ids))


def _is_id(value) -> bool:
    return type(value) is int and 0 < value <= _MOST


def _number(text: str) -> int | None:
    """Return a letter's number, None where it is none."""
    if text.isascii() and text.isdecimal() and len(text) < 20:
        number = int(text)
        return number if _is_id(number) and str(number) == text else None
    return None


def _wrong(name: str, what: str) -> Rejected:
    return Rejected(f"the field {name} has {what}", code="invalid_field",
                    where=name)
