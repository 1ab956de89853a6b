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

"""The catalog and the engine's checkpoint on MariaDB and PostgreSQL."""

import unittest
import uuid

import sqlalchemy as sa

from monasca_events_common.database import Database
from tests.contract import catalog
from tests.integration import servers
from tests.unit.engine import test_engine


def make_database(case: unittest.TestCase, server: str) -> str:
    """Return the URL of an empty database that goes with the test."""
    url = sa.make_url(servers.up(server)["url"])
    name = f"t{uuid.uuid4().hex[:12]}"
    # PostgreSQL makes no database within a transaction.
    root = sa.create_engine(url, isolation_level="AUTOCOMMIT")

    def execute(statement: str) -> None:
        with root.connect() as connection:
            connection.execute(sa.text(statement))

    execute(f"CREATE DATABASE {name}")
    case.addCleanup(root.dispose)
    case.addCleanup(execute, f"DROP DATABASE {name}")
    return url.set(database=name).render_as_string(hide_password=False)


class _Catalog(catalog.CatalogContract):
    server = ""

    def setUp(self):
        self.database = Database(make_database(self, self.server))
        self.addCleanup(self.database.close)
        self.set_up_contract()


class TestCatalogOnMariadb(_Catalog, unittest.TestCase):
    server = "mariadb"


class TestCatalogOnPostgresql(_Catalog, unittest.TestCase):
    server = "postgresql"


class _OnMariadb:
    def make_database(self) -> str:
        return make_database(self, "mariadb")


class _OnPostgresql:
    def make_database(self) -> str:
        return make_database(self, "postgresql")


class TestCrashOnMariadb(_OnMariadb, test_engine.TestCrash):
    """F4, R8"""


class TestOrderOnMariadb(_OnMariadb, test_engine.TestOrdered):
    """F19"""


class TestCrashOnPostgresql(_OnPostgresql, test_engine.TestCrash):
    """F4, R8"""


class TestOrderOnPostgresql(_OnPostgresql, test_engine.TestOrdered):
    """F19"""
