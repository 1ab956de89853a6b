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

"""Leases, history and dispatcher on MariaDB and PostgreSQL: what is promised
must not depend on how a database locks (B31, T20, R8)."""

import pathlib
import tempfile
import unittest

from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.database.tables import DEFINITIONS
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from tests.contract import deliveries
from tests.integration import servers
from tests.integration.databases import make_database


class _LiveCase(unittest.TestCase):
    """Tests on one database, which is emptied before each."""

    server: str

    @classmethod
    def setUpClass(cls):
        cls.database = Database(
            make_database(cls, cls.server, servers.up(cls.server)))
        cls.addClassCleanup(cls.database.close)
        cls.database.upgrade()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.secrets = Secrets(self.folder / "key", make=True)
        with self.database.begin() as connection:
            for table in (DELIVERIES, FIRINGS, DEFINITIONS):
                connection.execute(table.delete())


class TestMariadbLeases(deliveries.LeasesContract, _LiveCase):
    server = "mariadb"


class TestMariadbHistory(deliveries.HistoryContract, _LiveCase):
    server = "mariadb"


class TestMariadbDispatcher(deliveries.DispatcherContract, _LiveCase):
    server = "mariadb"


class TestPostgresqlLeases(deliveries.LeasesContract, _LiveCase):
    server = "postgresql"


class TestPostgresqlHistory(deliveries.HistoryContract, _LiveCase):
    server = "postgresql"


class TestPostgresqlDispatcher(deliveries.DispatcherContract, _LiveCase):
    server = "postgresql"
