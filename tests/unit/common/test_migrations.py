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


"""The migrations lead to the tables of this release, on each database."""

import contextlib
import importlib
import io
import pkgutil
import re
import subprocess
import sys
import tempfile
import unittest

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex
from sqlalchemy.schema import CreateTable

from monasca_events_common import database
from monasca_events_common.database import Database
from monasca_events_common.database import tables
from monasca_events_common.database import upgrading
from monasca_events_common.database.migrations import versions

#: How a database's URL may begin.
DIALECTS = ("sqlite", "mysql+pymysql", "mariadb+pymysql",
            "postgresql+psycopg")


def steps() -> list:
    """Return the migrations, in their order."""
    return [importlib.import_module(f"{versions.__name__}.{name}")
            for name in sorted(one.name for one in pkgutil.iter_modules(
                versions.__path__))]


def words(statements: str) -> list[str]:
    """Return statements, sorted, without what is between words."""
    return sorted(" ".join(one.split()) for one in statements.split(";")
                  if re.match(r"\s*CREATE", one))


class TestMigrations(unittest.TestCase):

    def test_the_last_step_is_the_version_of_the_release(self):
        self.assertEqual(database.NEWEST, upgrading.known()[0])
        self.assertEqual(database.NEWEST, steps()[-1].revision)

    def test_alembic_is_not_loaded_where_there_is_nothing_to_do(self):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/it.db"
            with contextlib.closing(Database(url)) as made:
                made.upgrade()
            done = subprocess.run(
                [sys.executable, "-c", f"""
import sys
from monasca_events_common import database
from monasca_events_common.database import Database
it = Database({url!r})
it.upgrade()
it.check()
print("alembic" in sys.modules)
"""], capture_output=True, encoding="utf-8", check=True)
        self.assertEqual("False\n", done.stdout)

    def test_a_step_says_in_full_what_it_makes(self):
        """What it made once it makes for ever, whatever tables.py says."""
        for module in steps():
            with open(module.__file__, encoding="utf-8") as file:
                self.assertNotRegex(file.read(),
                                    r"create_all|import tables|\.tables ")

    def test_it_makes_the_tables_of_the_release_on_every_database(self):
        """While steps only add, statement by statement; constraints, lengths,
        collations and the order of columns included."""
        for name in DIALECTS:
            output = io.StringIO()
            dialect = sa.make_url(f"{name}://").get_dialect()()
            context = MigrationContext.configure(dialect=dialect, opts={
                "as_sql": True, "output_buffer": output})
            with Operations.context(context):
                for one in steps():
                    one.upgrade()
            expected = []
            for table in tables.META.sorted_tables:
                expected.append(CreateTable(table).compile(dialect=dialect))
                expected.extend(CreateIndex(one).compile(dialect=dialect)
                                for one in table.indexes)
            with self.subTest(database=name):
                self.assertEqual(
                    words(";".join(str(one) for one in expected)),
                    words(output.getvalue()))
                self.assertEqual(
                    name.endswith("pymysql"),
                    "COLLATE utf8mb4_bin" in output.getvalue())

    def test_an_upgraded_database_is_one_that_was_made_at_once(self):
        """On SQLite, as the database itself tells it."""
        with tempfile.TemporaryDirectory() as folder:
            migrated = Database(f"sqlite:///{folder}/migrated.db")
            self.addCleanup(migrated.close)
            migrated.upgrade()
            made = Database(f"sqlite:///{folder}/made.db")
            self.addCleanup(made.close)
            with made.begin() as connection:
                tables.META.create_all(connection)
            self.assertEqual(self.told(made), self.told(migrated))
            with migrated.read() as connection:
                self.assertEqual([("catalog", 0)], [
                    tuple(one) for one in connection.execute(
                        tables.REVISIONS.select())])

    def told(self, database: Database) -> list[tuple]:
        with database.read() as connection:
            return sorted(
                (row.name, " ".join(row.sql.split()))
                for row in connection.execute(sa.text(
                    "SELECT name, sql FROM sqlite_master WHERE sql IS NOT "
                    "NULL AND name <> 'alembic_version'")))
