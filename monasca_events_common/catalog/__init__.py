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

"""The catalog: what tenants have defined, in the database.

The API writes it; the engine and the persister follow its revision, a number
that every change raises by one. Definitions of all resources have one form
here; what their content may say is their own module's business.
"""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses

import orjson
import sqlalchemy as sa

from monasca_events_common.database import Database
from monasca_events_common.database.tables import DEFINITIONS
from monasca_events_common.database.tables import REVISIONS
from monasca_events_common.database.tables import VERSIONS
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import NotFound
from monasca_events_common.store import ALL

TRIGGERS = "triggers"
METHODS = "notification-methods"
TRANSFORMS = "transforms"
SETTINGS = "settings"

#: Resources that the catalog keeps, by the name that the API gives them.
RESOURCES = (TRIGGERS, METHODS, TRANSFORMS, SETTINGS)

#: Those whose former versions are kept: what an event was changed by is told
#: by a revision.
VERSIONED = frozenset((TRANSFORMS,))

#: Versions of one definition that are kept, the newest.
MAX_VERSIONS = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """One thing that a tenant defined.

    :ivar resource: one of RESOURCES
    :ivar name: unique for the project and the resource; None once deleted
    :ivar content: JSON object; what the tenant wrote, with defaults filled in
    :ivar revision: the catalog's when it was changed last; its ETag
    :ivar secret: encrypted, see :mod:`monasca_events_common.catalog.secrets`
    :ivar created_at, updated_at: canonical times
    """

    id: str
    resource: str
    project_id: str
    name: str | None
    content: Mapping
    revision: int
    created_at: str
    updated_at: str
    deleted: bool = False
    secret: bytes | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """What a definition said from a revision on.

    :ivar user_id: who said so, None where that is not known
    :ivar at: canonical time
    """

    revision: int
    content: Mapping
    user_id: str | None
    at: str


class Catalog:
    """The definitions of all projects. Safe for several threads.

    ``project_id`` is a project's id or, for reading, ``ALL``. Every call
    raises Unavailable when the database cannot answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, project_id, resource: str, *, after: str | None = None,
             limit: int = 1000, name: str | None = None
             ) -> Sequence[Definition]:
        """Return definitions by creation, oldest first.

        :param after: only those behind the definition with this id
        """
        query = _of(project_id, resource).order_by(
            DEFINITIONS.c.created_at, DEFINITIONS.c.id).limit(limit)
        if name is not None:
            query = query.where(DEFINITIONS.c.name == name)
        with self._database.read() as connection:
            if after is not None:
                start = connection.execute(
                    _of(project_id, resource, deleted=True).where(
                        DEFINITIONS.c.id == after)).mappings().first()
                if start is None:
                    raise NotFound(f"the marker {after!r} names nothing here",
                                   code="invalid_marker", where="marker")
                query = query.where(sa.or_(
                    DEFINITIONS.c.created_at > start["created_at"],
                    sa.and_(
                        DEFINITIONS.c.created_at == start["created_at"],
                        DEFINITIONS.c.id > after)))
            return [_definition(row)
                    for row in connection.execute(query).mappings()]

    def every(self, project_id, resource: str) -> Iterator[Definition]:
        """Yield all definitions by creation, oldest first."""
        after = None
        while page := self.list(project_id, resource, after=after):
            yield from page
            after = page[-1].id

    def get(self, project_id, resource: str, definition_id: str
            ) -> Definition:
        """Return one. Raises NotFound, also for another project's."""
        with self._database.read() as connection:
            return self._get(connection, project_id, resource, definition_id)

    def _get(self, connection, project_id, resource: str,
             definition_id: str) -> Definition:
        row = connection.execute(_of(project_id, resource).where(
            DEFINITIONS.c.id == definition_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no {_singular(resource)} "
                           f"{definition_id[:64]!r}")
        return _definition(row)

    def count(self, project_id, resource: str) -> int:
        """Return how many there are."""
        with self._database.read() as connection:
            return _count(connection, project_id, resource)

    def create(self, project_id: str, resource: str, definition_id: str,
               content: Mapping, now: str, *, quota: int | None = None,
               secret: bytes | None = None, user_id: str | None = None
               ) -> Definition:
        """Return the new definition once it is durable.

        :param content: with ``name``
        :param user_id: who makes it
        :param quota: definitions of the resource that the project may have
        :raises Conflict: the name is taken
        :raises Forbidden: the quota is used up
        """
        with self._database.begin() as connection:
            revision = _raise(connection)
            _check_name(connection, project_id, resource, content)
            if quota is not None and _count(connection, project_id,
                                            resource) >= quota:
                raise Forbidden(
                    f"the project has {quota} {resource} and may have no "
                    "more", code="quota_exceeded")
            made = Definition(
                definition_id, resource, project_id, content["name"],
                content, revision, now, now, secret=secret)
            connection.execute(DEFINITIONS.insert().values(_row(made)))
            _keep_version(connection, made, user_id)
        return made

    def update(self, project_id: str, resource: str, definition_id: str,
               content: Mapping, now: str, *, revision: int | None = None,
               secret: bytes | None = None, user_id: str | None = None
               ) -> Definition:
        """Return the changed definition once it is durable.

        :param user_id: who changes it
        :param revision: which it must have; None changes whatever is there
        :param secret: a new one; None keeps what is there
        :raises NotFound: there is none
        :raises Conflict: it has another revision, or the name is taken
        """
        with self._database.begin() as connection:
            new = _raise(connection)
            old = self._get(connection, project_id, resource, definition_id)
            _check_revision(old, revision)
            _check_name(connection, project_id, resource, content,
                        definition_id)
            made = dataclasses.replace(
                old, name=content["name"], content=content, revision=new,
                updated_at=now,
                secret=old.secret if secret is None else secret)
            connection.execute(DEFINITIONS.update().where(
                DEFINITIONS.c.id == definition_id).values(_row(made)))
            _keep_version(connection, made, user_id)
        return made

    def delete(self, project_id: str, resource: str, definition_id: str,
               now: str, *, revision: int | None = None) -> None:
        """Return once it is gone for everyone who follows.

        :raises NotFound: there is none
        :raises Conflict: it has another revision
        """
        with self._database.begin() as connection:
            new = _raise(connection)
            old = self._get(connection, project_id, resource, definition_id)
            _check_revision(old, revision)
            connection.execute(DEFINITIONS.update().where(
                DEFINITIONS.c.id == definition_id).values(
                    name=None, deleted=True, revision=new, updated_at=now,
                    secret=None))
            connection.execute(VERSIONS.delete().where(
                VERSIONS.c.definition_id == definition_id))

    def versions(self, project_id, resource: str, definition_id: str
                 ) -> Sequence[Version]:
        """Return what a definition says and said, newest first.

        The newest MAX_VERSIONS; none for a resource that is not VERSIONED.

        :raises NotFound: there is none, or it is another project's
        """
        with self._database.read() as connection:
            self._get(connection, project_id, resource, definition_id)
            return [Version(row.revision, orjson.loads(row.content),
                            row.user_id, row.at)
                    for row in connection.execute(sa.select(VERSIONS).where(
                        VERSIONS.c.definition_id == definition_id).order_by(
                            VERSIONS.c.revision.desc()))]

    def revision(self) -> int:
        """Return the number that every change raises. Cheap; ask often."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(REVISIONS.c.value).where(
                REVISIONS.c.name == "catalog"))

    def changes(self, since: int, resources: Sequence[str]
                ) -> Sequence[Definition]:
        """Return what changed after a revision, deletions too, in order.

        :param since: 0 returns all that there is
        """
        query = sa.select(DEFINITIONS).where(
            DEFINITIONS.c.revision > since,
            DEFINITIONS.c.resource.in_(list(resources)))
        if not since:
            query = query.where(DEFINITIONS.c.deleted.is_(False))
        with self._database.read() as connection:
            return [_definition(row) for row in connection.execute(
                query.order_by(DEFINITIONS.c.revision)).mappings()]


def _of(project_id, resource: str, deleted: bool = False) -> sa.Select:
    """The one place where the project's filter is added."""
    query = sa.select(DEFINITIONS).where(DEFINITIONS.c.resource == resource)
    if project_id is not ALL:
        query = query.where(DEFINITIONS.c.project_id == project_id)
    return query if deleted else query.where(DEFINITIONS.c.deleted.is_(False))


def _count(connection, project_id, resource: str) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(
        _of(project_id, resource).subquery()))


def _raise(connection) -> int:
    """Raise the revision; its row orders all who write."""
    connection.execute(REVISIONS.update().where(
        REVISIONS.c.name == "catalog").values(value=REVISIONS.c.value + 1))
    return connection.scalar(sa.select(REVISIONS.c.value).where(
        REVISIONS.c.name == "catalog"))


def _keep_version(connection, made: Definition, user_id: str | None) -> None:
    if made.resource not in VERSIONED:
        return
    connection.execute(VERSIONS.insert().values(
        definition_id=made.id, revision=made.revision,
        content=orjson.dumps(made.content).decode(),
        user_id=user_id and user_id[:64], at=made.updated_at))
    # Two statements: MySQL deletes from no table that it reads.
    oldest = connection.scalar(sa.select(VERSIONS.c.revision).where(
        VERSIONS.c.definition_id == made.id).order_by(
            VERSIONS.c.revision.desc()).offset(MAX_VERSIONS - 1).limit(1))
    if oldest is not None:
        connection.execute(VERSIONS.delete().where(
            VERSIONS.c.definition_id == made.id,
            VERSIONS.c.revision < oldest))


def _check_revision(found: Definition, wanted: int | None) -> None:
    if wanted is not None and found.revision != wanted:
        raise Conflict(
            f"it has revision {found.revision}, the request expects "
            f"{wanted}: somebody changed it meanwhile",
            code="revision_mismatch")


def _check_name(connection, project_id: str, resource: str,
                content: Mapping, own: str | None = None) -> None:
    query = _of(project_id, resource).where(
        DEFINITIONS.c.name == content["name"])
    if own is not None:
        query = query.where(DEFINITIONS.c.id != own)
    if connection.execute(query).first():
        raise Conflict(f"the project has a {_singular(resource)} named "
                       f"{content['name']!r} already", code="name_taken",
                       where="name")


def _singular(resource: str) -> str:
    return resource.removesuffix("s").replace("-", " ")


def _row(made: Definition) -> dict:
    row = {field.name: getattr(made, field.name)
           for field in dataclasses.fields(made)}
    row["content"] = orjson.dumps(made.content).decode()
    return row


def _definition(row: Mapping) -> Definition:
    values = {field.name: row[field.name]
              for field in dataclasses.fields(Definition)}
    values["content"] = orjson.loads(values["content"])
    values["deleted"] = bool(values["deleted"])
    return Definition(**values)
