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

"""A SQLite file is made private without losing anybody's locks (F24, S22)."""

import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from monasca_events_common import sqlite_file

STRANGER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM t").fetchall()
connection.close()
"""


class TestSqliteFile(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "new" / "x.db"

    def test_it_is_for_its_owner_only(self):
        sqlite_file.make_private(self.path)
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)
        self.assertEqual(0o700, self.path.parent.stat().st_mode & 0o777)

    def test_another_process_cannot_take_the_log_from_under_us(self):
        # With a lock lost, the stranger believes itself the last one and
        # removes the write-ahead log when it leaves.
        sqlite_file.make_private(self.path)
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
        sqlite_file.make_private(self.path)
        subprocess.run([sys.executable, "-c", STRANGER, str(self.path)],
                       check=True)
        self.assertTrue(self.path.with_name("x.db-wal").exists())
