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

"""Leases, history and dispatcher on SQLite."""

import pathlib
import tempfile
import unittest

from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from tests.contract import deliveries


class SqliteCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.database = Database(f"sqlite:///{self.folder}/events.db")
        self.addCleanup(self.database.close)
        self.database.upgrade()
        self.secrets = Secrets(self.folder / "key", make=True)


class TestLeases(deliveries.LeasesContract, SqliteCase):
    pass


class TestHistory(deliveries.HistoryContract, SqliteCase):
    pass


class TestDispatcher(deliveries.DispatcherContract, SqliteCase):
    pass
