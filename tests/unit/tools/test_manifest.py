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

"""An installation from an archive has what one from git has."""

import fnmatch
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]


def patterns() -> list[str]:
    """Return what MANIFEST.in includes, as patterns of whole paths."""
    found = []
    for line in (ROOT / "MANIFEST.in").read_text("utf-8").splitlines():
        word, *rest = line.split()
        if word == "recursive-include":
            folder, *globs = rest
            found += [f"{folder}/{glob}" for glob in globs]
    return found


def files() -> list[str]:
    """Return the files of our packages that are no modules."""
    done = subprocess.run(
        ["git", "ls-files", "monasca_events_*"], cwd=ROOT,
        capture_output=True, text=True, check=False)
    if done.returncode:
        # An archive itself, then; what lies there is what it has.
        return [str(path.relative_to(ROOT))
                for path in ROOT.glob("monasca_events_*/**/*")
                if path.is_file() and path.suffix not in (".py", ".pyc")]
    return [name for name in done.stdout.splitlines()
            if not name.endswith(".py")]


class ManifestTest(unittest.TestCase):

    def test_every_file_that_is_no_module_is_named(self):
        """B28: without git, pbr installs what this file names."""
        known = patterns()
        found = files()
        self.assertIn("monasca_events_agent/definitions.yaml", found)
        self.assertEqual([], [name for name in found if not any(
            fnmatch.fnmatch(name, pattern) for pattern in known)])


if __name__ == "__main__":
    unittest.main()
