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

"""Faults on the embedded drivers."""

import pathlib
import sqlite3
import unittest

from tests.integration import faults
from tests.integration.sites import EmbeddedSite
from tests.integration.sites import Site


class TestEmbeddedFaults(faults.FaultTests, unittest.TestCase):

    def make_site(self, folder: pathlib.Path) -> Site:
        return EmbeddedSite(folder)

    def assert_balanced(self, truth, seconds: float = 240) -> None:
        super().assert_balanced(truth, seconds)
        for name in ("bus.db", "events.db", "dead-letters.db",
                     "spool/spool.db"):
            with self.subTest(file=name):
                path = self.site.layout.root / name
                connection = sqlite3.connect(path)
                self.assertEqual(
                    ("ok",), connection.execute(
                        "PRAGMA integrity_check").fetchone())
                connection.close()
