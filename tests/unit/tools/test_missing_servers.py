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


"""A real server that cannot be had: skipped by name, with CI=true a failure.

The tool runs as it is, on a machine that seems to have no program at all and
no way to make a virtual environment, with a cache and a state of its own.
"""

import os
import pathlib
import tempfile
import unittest
from unittest import mock

from tests.integration import servers
from tests.integration import test_store_elasticsearch

NAMES = ("kafka", "elasticsearch", "rabbitmq", "mariadb", "keystone")

#: Read by each Python that starts: nothing here can be executed.
_SITE = """
import os

_access = os.access


def access(path, mode, **options):
    return not mode & os.X_OK and _access(path, mode, **options)


os.access = access
"""


class MissingServerTest(unittest.TestCase):

    def setUp(self):
        super().setUp()
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        folder = pathlib.Path(holder.name)
        (folder / "sitecustomize.py").write_text(_SITE)
        (folder / "venv.py").write_text("raise SystemExit('no venv here')\n")
        (folder / "bin").mkdir()
        self.environment = {
            "PATH": str(folder / "bin"), "PYTHONPATH": str(folder),
            "MONASCA_EVENTS_CACHE": str(folder / "cache"),
            "MONASCA_EVENTS_SERVERS": str(folder / "run")}

    def run_test(self, test: unittest.TestSuite | unittest.TestCase,
                 **environment: str) -> unittest.TestResult:
        result = unittest.TestResult()
        with mock.patch.dict(os.environ,
                             {**self.environment, **environment}, clear=True):
            test.run(result)
        return result

    def asking(self, name: str) -> unittest.TestCase:
        """Return a test that wants a server."""
        return unittest.FunctionTestCase(lambda: servers.up(name))

    def test_its_tests_are_skipped_and_say_what_is_missing(self):
        for name in NAMES:
            with self.subTest(server=name):
                result = self.run_test(self.asking(name))
                self.assertEqual(([], []), (result.errors, result.failures))
                (_, reason), = result.skipped
                self.assertRegex(reason, f"^servers up {name} .*: servers: "
                                 r"(no |cannot make ).*\w")

    def test_with_ci_its_tests_fail(self):
        for name in NAMES:
            with self.subTest(server=name):
                result = self.run_test(self.asking(name), CI="true")
                self.assertEqual(([], []), (result.errors, result.skipped))
                (_, told), = result.failures
                self.assertIn(f"servers up {name}", told)

    def test_a_whole_class_of_tests_is_skipped_or_fails_likewise(self):
        for environment, skipped, wrong in (({}, 1, 0), ({"CI": "true"}, 0, 1),
                                            ({"CI": ""}, 1, 0)):
            suite = unittest.defaultTestLoader.loadTestsFromTestCase(
                test_store_elasticsearch.TestPurge)
            result = self.run_test(suite, **environment)
            self.assertEqual((0, skipped, wrong), (
                result.testsRun, len(result.skipped),
                len(result.errors) + len(result.failures)))


if __name__ == "__main__":
    unittest.main()
