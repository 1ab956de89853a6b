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

"""Every benchmark runs in its short form, so that none can rot."""

import json
import os
import subprocess
import sys
import unittest

from tests.bench.__main__ import names

#: Exit status of a benchmark whose server or peer cannot be had here.
MISSING = 3


class TestBenches(unittest.TestCase):

    def run_short(self, name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.bench.bench_{name}", "--short"],
            capture_output=True, text=True, timeout=900, check=False)
        if done.returncode == MISSING and os.environ.get("CI") != "true":
            self.skipTest(done.stderr.strip().splitlines()[-1])
        self.assertEqual(0, done.returncode, done.stderr[-3000:])
        lines = done.stdout.strip().splitlines()
        self.assertEqual(1, len(lines), done.stdout[-3000:])
        answer = json.loads(lines[0])
        self.assertEqual(name, answer["bench"])
        ratios = [value for key, value in answer.items()
                  if key.startswith("ratio") or key.endswith("_ratio")]
        self.assertTrue(ratios, f"no ratio in {sorted(answer)}")
        self.assertTrue(all(value > 0 for value in ratios), answer)


def _add(name: str) -> None:
    def test(self):
        self.run_short(name)
    test.__name__ = f"test_{name}_prints_one_line_with_a_ratio"
    setattr(TestBenches, test.__name__, test)


for _name in names():
    _add(_name)
