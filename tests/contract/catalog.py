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

"""What the database and the catalog promise, on every SQL database."""

import threading

import sqlalchemy as sa

from monasca_events_common import database as databases
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import MAX_VERSIONS
from monasca_events_common.catalog import TRANSFORMS
from monasca_events_common.catalog import TRIGGERS
from monasca_events_common.database import tables
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import NotFound
from monasca_events_common.store import ALL

A, B = "a" * 32, "b" * 32


def now(second: int = 0) -> str:
    return f"2026-11-22T10:00:{second:02d}.000000Z"


def number(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


class CatalogContract:
    """Inherited with a ``database``: empty, without tables.

    ``set_up_contract`` is called by the inheritor's ``setUp``.
    """

    database: databases.Database

    def set_up_contract(self) -> None:
        self.database.upgrade()
        self.catalog = Catalog(self.database)

    def create(self, n: int, project_id: str = A, name: str | None = None,
               **options):
        return self.catalog.create(
            project_id, TRIGGERS, number(n),
            {"name": name or f"trigger {n}"}, now(n), **options)

    # -- the database

    def test_the_tables_are_those_of_the_release(self):
        self.database.check()
        self.database.upgrade()
        from alembic.autogenerate import compare_metadata
        from alembic.runtime.migration import MigrationContext
        with self.database.engine.connect() as connection:
            differences = compare_metadata(
                MigrationContext.configure(connection), tables.META)
        self.assertEqual([], differences)

    def test_tables_of_a_newer_release_are_refused_in_words(self):
        with self.database.begin() as connection:
            connection.execute(sa.text(
                "UPDATE alembic_version SET version_num = '9999'"))
        for call in (self.database.check, self.database.upgrade):
            with self.assertRaisesRegex(Misconfigured, "a newer release"):
                call()

    def test_a_failed_transaction_leaves_nothing(self):
        with self.assertRaises(ZeroDivisionError):
            with self.database.begin() as connection:
                connection.execute(tables.SEEN.insert().values(
                    event_id=b"x" * 16, partition=0, at=1.0))
                raise ZeroDivisionError
        with self.database.read() as connection:
            self.assertEqual([], connection.execute(
                sa.select(tables.SEEN)).all())

    def test_an_upsert_inserts_and_then_sets(self):
        statement = self.database.upsert(tables.SEEN, ["at"])
        for at in (1.5, 2.5):
            with self.database.begin() as connection:
                connection.execute(statement, [
                    {"event_id": bytes([n]) * 16, "partition": 0, "at": at}
                    for n in range(3)])
        with self.database.read() as connection:
            self.assertEqual([(b"\0" * 16, 2.5)], [
                (bytes(row.event_id), row.at) for row in connection.execute(
                    sa.select(tables.SEEN)) if row.event_id[0] == 0])

    def test_what_is_there_already_is_a_conflict(self):
        row = {"event_id": b"x" * 16, "partition": 0, "at": 1.0}
        with self.database.begin() as connection:
            connection.execute(tables.SEEN.insert().values(row))
        with self.assertRaises(Conflict):
            with self.database.begin() as connection:
                connection.execute(tables.SEEN.insert().values(row))

    # -- the catalog

    def test_a_definition_comes_back_as_it_was_made(self):
        made = self.create(1, secret=b"\0s")
        self.assertEqual(made, self.catalog.get(A, TRIGGERS, number(1)))
        self.assertEqual([made], list(self.catalog.list(A, TRIGGERS)))

    def test_another_projects_definition_is_not_there(self):
        """S1"""
        self.create(1)
        for call in (
                lambda: self.catalog.get(B, TRIGGERS, number(1)),
                lambda: self.catalog.get(A, TRANSFORMS, number(1)),
                lambda: self.catalog.update(B, TRIGGERS, number(1),
                                            {"name": "x"}, now()),
                lambda: self.catalog.delete(B, TRIGGERS, number(1), now())):
            with self.assertRaises(NotFound):
                call()
        self.assertEqual([], list(self.catalog.list(B, TRIGGERS)))
        self.assertEqual(1, len(self.catalog.list(ALL, TRIGGERS)))

    def test_what_a_transform_said_is_kept_for_a_while(self):
        made = self.catalog.create(A, TRANSFORMS, number(1), {"name": "0"},
                                   now(0), user_id="u0")
        for n in range(1, MAX_VERSIONS + 5):
            last = self.catalog.update(
                A, TRANSFORMS, number(1), {"name": str(n)}, now(n),
                user_id=None if n % 2 else f"u{n}")
        found = self.catalog.versions(A, TRANSFORMS, number(1))
        self.assertEqual(MAX_VERSIONS, len(found))
        self.assertEqual(
            [str(n) for n in reversed(range(5, MAX_VERSIONS + 5))],
            [one.content["name"] for one in found])
        self.assertEqual((last.revision, last.updated_at, "u54"), (
            found[0].revision, found[0].at, found[0].user_id))
        self.assertIsNone(found[1].user_id)
        self.assertLess(made.revision, found[-1].revision)
        self.assertEqual(found, self.catalog.versions(ALL, TRANSFORMS,
                                                      number(1)))
        with self.assertRaises(NotFound):
            self.catalog.versions(B, TRANSFORMS, number(1))
        self.catalog.delete(A, TRANSFORMS, number(1), now())
        with self.database.read() as connection:
            self.assertEqual([], connection.execute(
                sa.select(tables.VERSIONS)).all())

    def test_of_other_resources_no_versions_are_kept(self):
        self.create(1)
        self.assertEqual([], self.catalog.versions(A, TRIGGERS, number(1)))

    def test_names_are_unique_within_a_project_and_free_again(self):
        self.create(1, name="n")
        self.create(2, project_id=B, name="n")
        with self.assertRaises(Conflict) as caught:
            self.create(3, name="n")
        self.assertEqual("name_taken", caught.exception.code)
        self.create(4, name="N")
        with self.assertRaises(Conflict):
            self.catalog.update(A, TRIGGERS, number(4), {"name": "n"}, now())
        self.catalog.delete(A, TRIGGERS, number(1), now())
        self.create(5, name="n")

    def test_a_quota_that_is_used_up_refuses_another(self):
        self.create(1, quota=1)
        self.create(2, project_id=B, quota=1)
        with self.assertRaises(Forbidden) as caught:
            self.create(3, quota=1)
        self.assertEqual("quota_exceeded", caught.exception.code)

    def test_a_stale_revision_changes_nothing(self):
        made = self.create(1)
        changed = self.catalog.update(A, TRIGGERS, number(1), {"name": "x"},
                                      now(2), revision=made.revision)
        for call in (
                lambda: self.catalog.update(
                    A, TRIGGERS, number(1), {"name": "y"}, now(),
                    revision=made.revision),
                lambda: self.catalog.delete(
                    A, TRIGGERS, number(1), now(), revision=made.revision)):
            with self.assertRaises(Conflict) as caught:
                call()
            self.assertEqual("revision_mismatch", caught.exception.code)
        self.assertEqual(changed, self.catalog.get(A, TRIGGERS, number(1)))
        self.assertEqual(now(1), changed.created_at)

    def test_pages_follow_creation_also_behind_a_deleted_one(self):
        for n in (3, 1, 2):
            self.create(n)
        self.assertEqual([number(1), number(2)], [
            one.id for one in self.catalog.list(A, TRIGGERS, limit=2)])
        self.catalog.delete(A, TRIGGERS, number(2), now())
        self.assertEqual([number(3)], [one.id for one in self.catalog.list(
            A, TRIGGERS, after=number(2))])
        with self.assertRaises(NotFound):
            self.catalog.list(A, TRIGGERS, after="no such")

    def test_followers_learn_of_every_change(self):
        self.create(1)
        seen = self.catalog.revision()
        self.create(2)
        self.catalog.update(A, TRIGGERS, number(1), {"name": "x"}, now())
        self.catalog.create(A, TRANSFORMS, number(3), {"name": "t"}, now())
        self.catalog.delete(A, TRIGGERS, number(2), now())
        found = self.catalog.changes(seen, [TRIGGERS])
        self.assertEqual([(number(1), False), (number(2), True)],
                         [(one.id, one.deleted) for one in found])
        self.assertEqual(found[-1].revision, self.catalog.revision())
        self.assertEqual([number(1)], [
            one.id for one in self.catalog.changes(0, [TRIGGERS])])

    def test_of_many_writers_at_once_none_is_overlooked(self):
        seen: list[int] = []
        known = 0
        done = threading.Event()

        def write(start: int) -> None:
            for n in range(start, start + 10):
                self.create(n)

        def follow() -> None:
            nonlocal known
            while True:
                last = done.is_set()
                for one in self.catalog.changes(known, [TRIGGERS]):
                    seen.append(one.id)
                    known = one.revision
                if last:
                    return

        follower = threading.Thread(target=follow)
        writers = [threading.Thread(target=write, args=(start,))
                   for start in (0, 10, 20)]
        for one in (follower, *writers):
            one.start()
        for one in writers:
            one.join()
        done.set()
        follower.join()
        self.assertEqual(sorted(map(number, range(30))), sorted(seen))
