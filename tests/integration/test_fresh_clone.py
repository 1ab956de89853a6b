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

"""The README's first command, in a clone that nobody has used."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from tests.integration.sites import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]


class TestFreshClone(unittest.TestCase):
    """One command makes what it needs, starts all and
    shows events arriving and a search answering (T8)."""

    def test_one_command_shows_events_arriving(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="monasca-events-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks",
                        str(ROOT), str(folder / "clone")], check=True)
        done = subprocess.run(
            ["clone/tools/standalone.sh", "--demo-seconds", "40",
             "--state-dir", "state", "--port", str(free_port())],
            cwd=folder, capture_output=True, text=True, timeout=900,
            check=False)
        said = done.stdout + done.stderr
        self.assertEqual(0, done.returncode, said)
        for project in ("demo", "alt"):
            self.assertRegex(done.stdout, rf"(?m)^\d\d:\d\d:\d\d\.\d\d\d  "
                                          rf"{project} +\w+\.\w+")
        self.assertIn("A search: ", done.stdout, said)
        # Beside the caller, not in the clone.
        self.assertTrue((folder / "state" / "events.db").exists(), said)
        self.assertFalse((folder / "clone" / "state").exists())
