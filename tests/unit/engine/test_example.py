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

"""The example of the documentation, installed as a stranger's package."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

EXAMPLE = (pathlib.Path(__file__).parents[3]
           / "doc/source/contributor/example-trigger")

#: Enables the plug-ins by name in a real engine, and shows what came of it.
_PROGRAM = """
import json, sys, tempfile
from monasca_events_engine.testing import event, stamp
from tests.unit.engine.site import EngineSite
folder = tempfile.mkdtemp(dir=sys.argv[1])
site = EngineSite(folder, enabled_triggers=["many_reboots", "vm_deleted"],
                  enabled_metric_actions=["lifetimes"])
for at in (0, 10, 20):
    site.send(event("instance.reboot.end", at))
site.restart()
site.send(event("instance.delete.end", 3600,
                traits={"launched_at": stamp(0)}))
site.pass_to(3700)
print(json.dumps({
    "firings": [one["trigger_id"] for one in site.firings()],
    "totals": [[one.name, one.value] for one in site.measures.totals()]}))
"""


class TestExample(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.install()

    def install(self) -> None:
        """Put into a folder what an installer would, by the same file."""
        project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(
            "utf-8"))
        target = pathlib.Path(self.folder, "site")
        about = target / (f"{project['project']['name'].replace('-', '_')}-"
                          f"{project['project']['version']}.dist-info")
        about.mkdir(parents=True)
        (about / "METADATA").write_text(
            "Metadata-Version: 2.1\n"
            f"Name: {project['project']['name']}\n"
            f"Version: {project['project']['version']}\n")
        (about / "entry_points.txt").write_text("\n".join(
            f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where
                                     in points.items())
            for group, points in project["project"]["entry-points"].items()))
        for name in project["tool"]["setuptools"]["py-modules"]:
            shutil.copy(EXAMPLE / f"{name}.py", target)
        self.path = os.pathsep.join(
            [str(target), str(pathlib.Path(__file__).parents[3])])

    def run_python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True,
            check=False, env={**os.environ, "PYTHONPATH": self.path})
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def test_its_triggers_work_in_the_engine_by_their_names(self):
        """Issue 4: a third-party trigger is about twenty lines."""
        found = json.loads(self.run_python("-c", _PROGRAM, self.folder))
        self.assertEqual(
            {"firings": ["many_reboots", "vm_deleted"],
             "totals": [["instance.lifetime", 3600.0]]}, found)

    def test_its_own_tests_pass(self):
        self.run_python(str(EXAMPLE / "test_example_trigger.py"))

    def test_a_trigger_is_short(self):
        text = (EXAMPLE / "example_trigger.py").read_text("utf-8")
        body = text[text.index("class ManyReboots"):
                    text.index("class Lifetimes")]
        self.assertLess(len([line for line in body.splitlines()
                             if line.strip()]), 35)
