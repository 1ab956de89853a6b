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


"""The functional suites, unchanged, against whole installations: what they
say of the application in one process must hold of daemons over HTTP (B13–B15,
B18, B19, S1–S6)."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import uuid

import yaml

from monasca_events_api.identity import local
from tests.functional import service
from tests.integration.sites import EmbeddedSite
from tests.integration.sites import LiveSite
from tests.integration.sites import Site

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_YAML = "tests.functional.test_gabbi"
_SUITES = ("tests.functional.test_matrix", "tests.functional.test_limits")

#: persona of the functional suites → (the site's project, role)
_PERSONAS = {"READER": ("A", "reader"), "MEMBER": ("A", "member"),
             "MANAGER": ("A", "manager"), "ADMIN": ("operator", "admin"),
             "SERVICE": ("operator", "service"),
             "FOREIGN_MEMBER": ("B", "member"),
             "NO_ROLE": ("A", "swiftoperator")}


def expected() -> tuple[int, int]:
    """Return how many tests the suites have, and how many are left out."""
    files = [yaml.safe_load(one.read_text()) for one in
             (_ROOT / "tests/functional/gabbits").glob("*.yaml")]
    # Who has an installation's dead letters put there is not the API.
    without = sum(len(one["tests"]) for one in files
                  if "Letters" in one["fixtures"])
    in_yaml = sum(len(one["tests"]) for one in files) - without
    # Only the table of routes wants to look into the application.
    return in_yaml + sum(
        unittest.defaultTestLoader.loadTestsFromName(one).countTestCases()
        for one in _SUITES), without + 1


class ContractTests:
    """Mixed into a TestCase with ``make_site``."""

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.site = cls.make_site(folder)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()

    def token(self, project: str, role: str) -> str:
        return self.site.token(project, role)

    def environment(self) -> dict[str, str]:
        """Return what tests/functional/service.py reads."""
        values = {"URL": self.site.url,
                  "PROJECT": self.site.projects["A"],
                  "FOREIGN_PROJECT": self.site.projects["B"]}
        values.update({f"TOKEN_{name}": self.token(*who)
                       for name, who in _PERSONAS.items()})
        return {**os.environ, **{service.PREFIX + name: value
                                 for name, value in values.items()}}

    def test_the_functional_suites_hold_here(self):
        done = subprocess.run(
            [sys.executable, "-m", "unittest", _YAML, *_SUITES], cwd=_ROOT,
            env=self.environment(), capture_output=True, text=True,
            timeout=900, check=False)
        said = done.stderr[-20000:]
        self.assertEqual(0, done.returncode, said)
        ran = re.search(r"^Ran (\d+) tests", said, re.MULTILINE)
        runs, left_out = expected()
        self.assertEqual(runs, int(ran.group(1)), said)
        skipped = re.search(r"^OK \(skipped=(\d+)\)", said, re.MULTILINE)
        self.assertEqual(str(left_out), skipped and skipped.group(1), said)


class TestEmbeddedContract(ContractTests, unittest.TestCase):
    """Daemons on SQLite files, local tokens."""

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        return EmbeddedSite(folder)

    def token(self, project: str, role: str) -> str:
        if role not in ("manager", "swiftoperator"):
            return super().token(project, role)
        # The demonstration has no such account; the file may be edited.
        path = self.site.layout.tokens
        accounts = [local.Account(**one) for one in
                    json.loads(path.read_text())["accounts"]]
        roles = {"manager": ("manager", "member", "reader")}.get(role, (role,))
        added = local.Account(
            name=role, token="t" + uuid.uuid4().hex,
            user_id=uuid.uuid4().hex, project_name="demo", roles=roles,
            project_id=self.site.projects[project])
        local.write(str(path), [*accounts, added])
        return added.token


class TestLiveContract(ContractTests, unittest.TestCase):
    """Keystone's tokens and roles, Kafka, Elasticsearch."""

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        # As long as auth_token's default: one persona after the other calls,
        # and Keystone would be asked for each of some thousand requests.
        return LiveSite(folder, extra="[keystone_authtoken]\n"
                                      "token_cache_time = 300\n")
