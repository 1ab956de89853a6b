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


"""Definitions of tenants: one controller for every resource of them.

What is special about a resource (what its content may say, what its answer
shows beyond it) is its Kind; listing, showing, making, changing and deleting
are the same for all.
"""

import abc
from collections.abc import Callable, Mapping
import uuid

from oslo_context.context import RequestContext
import pecan

from monasca_events_api import context
from monasca_events_api import documents
from monasca_events_api import filters
from monasca_events_api import ingest
from monasca_events_api.controllers import resource
from monasca_events_api.policies import definitions as policies
from monasca_events_common import event as events
from monasca_events_common.catalog import Definition
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Rejected

#: Times that a change without a precondition is tried again because somebody
#: else's came between.
_ATTEMPTS = 10


class Kind(abc.ABC):
    """What is special about one resource.

    :cvar resource: its name in the catalog and in addresses
    :cvar key: its name in the JSON of a list
    :cvar rules: names of its policies
    :cvar quota: name of its option in ``[quotas]``
    """

    resource: str
    key: str
    rules: policies.Rules
    quota: str

    def __init__(self, parts: resource.Parts) -> None:
        self.parts = parts

    def expand(self, content: dict) -> dict:
        """Return the definition that the body of a POST stands for."""
        return content

    @abc.abstractmethod
    def complete(self, who: RequestContext, content: dict,
                 old: Mapping | None) -> dict:
        """Return the definition to keep, checked and with its defaults.

        :param old: the content that it takes the place of
        :raises Rejected: it is wrong; ``where`` names the path
        """

    def show(self, found: Definition) -> dict:
        """Return what an answer shows beyond the content."""
        return {}

    def make_secret(self, content: Mapping) -> tuple[bytes | None, dict]:
        """Return the secret to keep, encrypted, and what POST shows of it."""
        return None, {}

    def release(self, found: Definition, force: bool) -> None:
        """Return when nothing needs a definition that is to be deleted.

        :param force: make it so
        :raises Conflict: something does
        """


class DefinitionsController:
    """A collection."""

    index = resource.methods()

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._parts = kind.parts

    @pecan.expose()
    def _lookup(self, definition_id, *rest):
        resource.check_id(definition_id)
        return self._find(definition_id), rest

    def _find(self, definition_id: str) -> "DefinitionController":
        """Return the controller of one definition."""
        return DefinitionController(self._kind, definition_id)

    @resource.reads(index)
    def show(self, req, resp):
        parts, kind = self._parts, self._kind
        asked = filters.parse_listing(req.query_string, parts.conf.limits,
                                      own=("name",))
        project_id = resource.scope(parts, req, kind.rules.list, asked,
                                    kind.rules.all_projects)
        limit = asked.query.limit
        found = parts.catalog.list(
            project_id, kind.resource, after=asked.query.marker,
            limit=limit + 1, name=asked.rest.get("name"))
        links = resource.links(
            parts, req, kind.resource,
            found[limit - 1].id if len(found) > limit else None)
        return resource.answer(
            {kind.key: [shown(kind, req, one) for one in found[:limit]],
             "links": links}, headers={"Link": resource.link_header(links)})

    @index.when("POST")
    def post(self, req, resp):
        parts, kind = self._parts, self._kind
        who = resource.caller(parts, req, kind.rules.create)
        ingest.check_project(who.project_id, parts.project_id)
        content = kind.complete(who, kind.expand(
            documents.read_document(req.environ)), None)
        secret, told = kind.make_secret(content)
        quota = parts.conf.quotas[kind.quota]
        made = parts.catalog.create(
            who.project_id, kind.resource, str(uuid.uuid4()), content,
            events.format_time(parts.clock()),
            quota=None if quota < 0 else quota, secret=secret,
            user_id=who.user_id)
        return answer(kind, req, made, status=201, more=told)


class DefinitionController:
    """One definition."""

    index = resource.methods()

    def __init__(self, kind: Kind, definition_id: str) -> None:
        self._kind = kind
        self._parts = kind.parts
        self._id = definition_id

    @resource.reads(index)
    def show(self, req, resp):
        parts, kind = self._parts, self._kind
        project_id = resource.scope(
            parts, req, kind.rules.show,
            filters.parse_scope(req.query_string), kind.rules.all_projects)
        return answer(kind, req, parts.catalog.get(
            project_id, kind.resource, self._id))

    @index.when("PATCH")
    def patch(self, req, resp):
        parts, kind = self._parts, self._kind
        who = resource.caller(parts, req, kind.rules.update)
        wanted = documents.Precondition(req.headers.get("If-Match"))
        patch = documents.read_document(req.environ, documents.MERGE_PATCH)
        return answer(kind, req, rewrite(
            parts, kind.resource, who.project_id, self._id,
            lambda old: (kind.complete(who, documents.merge(
                old.content, patch), old.content), None), wanted,
            user_id=who.user_id))

    @index.when("DELETE")
    def delete(self, req, resp):
        parts, kind = self._parts, self._kind
        who = context.of_request(req.environ)
        parts.policy.authorize(who, kind.rules.delete)
        force = filters.parse_flag(req.query_string, "force")
        wanted = documents.Precondition(req.headers.get("If-Match"))
        old = parts.catalog.get(who.project_id, kind.resource, self._id)
        wanted.check(old.revision)
        kind.release(old, force)
        parts.catalog.delete(
            who.project_id, kind.resource, self._id,
            events.format_time(parts.clock()),
            revision=old.revision if wanted else None)
        return resource.empty()


def rewrite(parts: resource.Parts, name: str, project_id: str,
            definition_id: str,
            edit: Callable[[Definition], tuple[Mapping, bytes | None]],
            wanted: documents.Precondition | None = None,
            user_id: str | None = None) -> Definition:
    """Return a changed definition once it is durable.

    Where somebody else's change comes between, the edit is made again on what
    is there now, unless the precondition forbids that.

    :param name: of the resource in the catalog
    :param edit: from the old definition to its new content and, where that
        changes, its new secret
    :param user_id: who asks for it
    """
    for left in reversed(range(_ATTEMPTS)):
        old = parts.catalog.get(project_id, name, definition_id)
        if wanted:
            wanted.check(old.revision)
        content, secret = edit(old)
        try:
            return parts.catalog.update(
                project_id, name, definition_id, content,
                events.format_time(parts.clock()), revision=old.revision,
                secret=secret, user_id=user_id)
        except Conflict as error:
            if error.code != "revision_mismatch" or wanted or not left:
                raise
    raise AssertionError("the last attempt returns or raises")


def answer(kind: Kind, req, found: Definition, status: int = 200,
           more: Mapping | None = None):
    """Return the answer that shows one definition.

    :param more: what only this answer shows
    """
    headers = {"ETag": documents.etag(found.revision)}
    if status == 201:
        headers["Location"] = address(kind, req, found.id)
    return resource.answer({**shown(kind, req, found), **(more or {})},
                           status=status, headers=headers)


def shown(kind: Kind, req, found: Definition) -> dict:
    """Return the JSON of one definition."""
    return {"id": found.id, "project_id": found.project_id,
            "revision": found.revision, "created_at": found.created_at,
            "updated_at": found.updated_at, **found.content,
            **kind.show(found),
            "links": [{"rel": "self",
                       "href": address(kind, req, found.id)}]}


def check_name(name: str, where: str) -> None:
    """Raise Rejected where databases would not tell a name from another."""
    if not name.isprintable() or name != name.strip():
        raise Rejected(f"{where} is {name[:80]!r}; expected printable "
                       "characters, with no blank at either end",
                       code="invalid_definition", where=where)


def address(kind: Kind, req, definition_id: str) -> str:
    """Return the URL of one definition."""
    return (f"{resource.base_url(kind.parts, req)}/v1.0/{kind.resource}/"
            f"{definition_id}")
