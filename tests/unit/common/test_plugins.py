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

"""Drivers are found by name or by module:Class; mistakes are one line."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from monasca_events_common import bus
from monasca_events_common import plugins
from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.errors import Misconfigured

SPELLING = "monasca_events_common.bus.sqlite:SqliteBus"


class TestPlugins(unittest.TestCase):

    def test_a_name_finds_the_entry_point(self):
        self.assertIs(SqliteBus, plugins.load(bus.NAMESPACE, "sqlite"))

    def test_an_operators_own_class_is_found_by_its_spelling(self):
        self.assertIs(SqliteBus, plugins.load(bus.NAMESPACE, SPELLING))

    def test_the_spelling_works_where_simport_cannot_be_imported(self):
        # Python 3.12 has no module imp, which simport needs.
        with mock.patch.dict(sys.modules, {"simport": None}):
            self.assertIs(SqliteBus, plugins.load(bus.NAMESPACE, SPELLING))

    def test_an_unknown_name_names_the_known_ones(self):
        with self.assertRaisesRegex(Misconfigured, "sqlite"):
            plugins.load(bus.NAMESPACE, "rabbit")

    def test_a_spelling_that_leads_nowhere_is_the_operators_mistake(self):
        for spelling in ("no.such.module:Class", "sys:NoSuchClass"):
            with self.subTest(spelling=spelling), \
                    self.assertRaisesRegex(Misconfigured, "module:Class"):
                plugins.load(bus.NAMESPACE, spelling)

    def test_a_plug_in_whose_module_fails_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            meta = pathlib.Path(folder, "stranger-1.dist-info")
            meta.mkdir()
            (meta / "METADATA").write_text(
                "Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
            (meta / "entry_points.txt").write_text(
                "[monasca_events.triggers]\nbad = stranger_module:Trigger\n")
            pathlib.Path(folder, "stranger_module.py").write_text(
                "raise RuntimeError('not today')\n")
            done = subprocess.run(
                [sys.executable, "-c", "from monasca_events_common import "
                 "plugins; plugins.load('monasca_events.triggers', 'bad')"],
                env={**os.environ, "PYTHONPATH": folder},
                capture_output=True, text=True, check=False)
        self.assertIn("Misconfigured: the plug-in 'bad' for "
                      "monasca_events.triggers cannot be imported: "
                      "RuntimeError: not today", done.stderr)
