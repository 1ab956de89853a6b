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


"""Jobs, and what the API shows of triggers, on MariaDB and PostgreSQL: the
functional tests with another database beneath (B31)."""

import unittest

from monasca_events_common.database import Database
from tests.contract import jobs
from tests.functional import test_backtests
from tests.functional import test_firings
from tests.integration.test_databases import make_database


class _Server:
    server = ""

    def make_database(self) -> str:
        return make_database(self, self.server)


class _Mariadb(_Server):
    server = "mariadb"


class _Postgresql(_Server):
    server = "postgresql"


class _Jobs(jobs.JobsContract):

    def setUp(self):
        self.database = Database(self.make_database())
        self.addCleanup(self.database.close)
        self.database.upgrade()
        self.set_up_contract()


class TestJobsOnMariadb(_Mariadb, _Jobs, unittest.TestCase):
    """F4"""


class TestJobsOnPostgresql(_Postgresql, _Jobs, unittest.TestCase):
    """F4"""


class TestFiringsOnMariadb(_Mariadb, test_firings.FiringsTest):
    """B33, B36"""


class TestFiringsOnPostgresql(_Postgresql, test_firings.FiringsTest):
    """B33, B36"""


class TestBacktestsOnMariadb(_Mariadb, test_backtests.BacktestsTest):
    """B34"""


class TestBacktestsOnPostgresql(_Postgresql, test_backtests.BacktestsTest):
    """B34"""
