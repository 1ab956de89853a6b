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


"""The runner of the test suite, as far as it decides anything."""

import contextlib
import io
import pathlib
import re
import sys
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
# It is no part of the installed packages.
sys.path.insert(0, str(ROOT / "tools"))

import run_tests  # noqa: E402

#: What a test that shares servers with others imports.
_SHARED = re.compile(r"integration import servers\b|\bLiveSite\b|"
                     r"\.integration\.servers\b")


class LanesTest(unittest.TestCase):
    """Integration tests run in two processes, by what they share."""

    def lane(self, module: str) -> str:
        found = re.match(run_tests.TOGETHER,
                         f"tests.integration.{module}.TestCase.test_it")
        return found.group(0)

    def test_whoever_shares_a_server_is_in_one_process(self):
        modules = [path for path in
                   (ROOT / "tests/integration").glob("test_*.py")]
        shared = {path.stem for path in modules
                  if _SHARED.search(path.read_text())}
        self.assertIn("test_faults_live", shared)
        self.assertEqual({"tests"}, set(map(self.lane, shared)))

    def test_those_named_apart_exist_and_are_in_the_other(self):
        for name in run_tests.APART:
            with self.subTest(module=name):
                self.assertTrue(
                    (ROOT / f"tests/integration/test_{name}.py").exists())
                self.assertEqual("tests.integration",
                                 self.lane(f"test_{name}"))

    def test_a_longer_name_is_not_taken_for_a_shorter_one(self):
        self.assertEqual("tests", self.lane(f"test_{run_tests.APART[0]}_x"))


class StyleTest(unittest.TestCase):

    def test_every_shell_script_is_checked_by_both_runners(self):
        """B28"""
        checked, = (set(command[3:]) for command in run_tests._STYLE
                    if command[0] == "bashate")
        tox = re.search(r"bashate --ignore E006 (.+)",
                        (ROOT / "tox.ini").read_text())[1]
        self.assertEqual(checked, set(tox.split()))
        scripts = {str(path.relative_to(ROOT))
                   for folder in (".ci", "devstack", "tools",
                                  "tests/integration/devstack")
                   for path in (ROOT / folder).rglob("*")
                   if path.is_file() and path.read_bytes().startswith(b"#!")
                   and b"bash" in path.read_bytes().splitlines()[0]}
        self.assertEqual(scripts, checked)


class TallyTest(unittest.TestCase):

    def test_the_last_line_tells_what_became_of_the_tests(self):
        tally = run_tests.Tally()
        tally.add(3, 0)
        self.assertEqual("3 passed, 0 failed", tally.line())
        tally.add(1, 2, 4)
        self.assertEqual("4 passed, 2 failed, 4 skipped", tally.line())

    def test_a_command_counts_as_a_test(self):
        tally = run_tests.Tally()
        run_tests.run_commands([["true"]], tally)
        self.assertEqual("1 passed, 0 failed", tally.line())

    def test_what_failed_is_told_again_before_the_last_line(self):
        told = io.StringIO()
        style = (("true",), ("false",))
        with mock.patch.object(run_tests, "_STYLE", style), \
                contextlib.redirect_stdout(told):
            self.assertEqual(1, run_tests.main(["style"]))
        self.assertEqual(["failed: false", "1 passed, 1 failed"],
                         told.getvalue().splitlines()[-2:])

    def test_an_unknown_part_is_refused(self):
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            self.assertEqual(2, run_tests.main(["nonsense"]))
        self.assertIn("unit functional", told.getvalue())


if __name__ == "__main__":
    unittest.main()
