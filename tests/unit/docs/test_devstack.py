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

"""The page about devstack tells of what its plug-in has."""

import configparser
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).parents[3]
PLUGIN = ROOT / "devstack"
PAGE = (ROOT / "doc/source/contributor/devstack.rst").read_text("utf-8")


class DevstackPageTest(unittest.TestCase):

    def test_every_variable_of_the_settings_is_told_with_its_default(self):
        """B28"""
        found = re.findall(r"^(MONASCA_EVENTS_\w+)=\$\{\1:-(.*)\}$",
                           (PLUGIN / "settings").read_text("utf-8"),
                           re.MULTILINE)
        self.assertGreater(len(found), 10)
        for name, default in found:
            with self.subTest(variable=name):
                self.assertIn(f"``{name}``", PAGE)
                if default and "$" not in default:
                    self.assertIn(default, PAGE)

    def test_every_phase_is_told_and_every_phase_is_there(self):
        """B28"""
        script = (PLUGIN / "plugin.sh").read_text("utf-8")
        for phase in ("pre-install", "install", "post-config", "extra",
                      "test-config", "unstack", "clean"):
            with self.subTest(phase=phase):
                self.assertIn(f'"{phase}"', script)
                self.assertRegex(PAGE, rf"(?m)^``{phase}``")

    def test_the_extras_that_are_installed_exist(self):
        """B28: pip does no more than warn of one that does not."""
        setup = configparser.RawConfigParser()
        setup.read(ROOT / "setup.cfg")
        for path, pattern in (
                (PLUGIN / "lib/services", r"extras\+?=([\w,]+)"),
                (ROOT / "doc/source/admin/install.rst",
                 r"'monasca-events\[([\w,]+)\]'")):
            named = {name for found in re.findall(
                pattern, path.read_text("utf-8"))
                for name in found.split(",") if name}
            with self.subTest(file=path.name):
                self.assertLess({"api", "agent", "persister", "engine"},
                                named)
                self.assertEqual(set(), named - set(setup["extras"]))

    def test_no_variable_is_read_that_the_settings_do_not_have(self):
        settings = (PLUGIN / "settings").read_text("utf-8")
        known = set(re.findall(r"^(MONASCA_EVENTS_\w+)=", settings,
                               re.MULTILINE))
        for path in (PLUGIN / "plugin.sh", *(PLUGIN / "lib").iterdir()):
            read = set(re.findall(r"\$\{?(MONASCA_EVENTS_\w+)",
                                  path.read_text("utf-8")))
            with self.subTest(file=path.name):
                self.assertEqual(set(), read - known)


if __name__ == "__main__":
    unittest.main()
