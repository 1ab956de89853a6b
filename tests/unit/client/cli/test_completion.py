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


"""The completion that ``openstack complete`` prints, in a real bash."""

import pathlib
import re
import shutil
import subprocess
import unittest

from tests.unit.client.cli.shell import run
from tests.unit.client.cli.shell import ShellTest

ROOT = pathlib.Path(__file__).parents[4]

#: What the package bash-completion brings, as far as it is used here.
_WORDS = """
_get_comp_words_by_ref() {
    words=("${COMP_WORDS[@]}"); cur="${COMP_WORDS[COMP_CWORD]}"
}
"""


def commands() -> list[str]:
    """Return every command of ours, as ``event_list``."""
    text = (ROOT / "setup.cfg").read_text("utf-8")
    block = re.search(r"^openstack\.event\.v1 =\n((?:    .*\n)+)", text,
                      re.MULTILINE)[1]
    return re.findall(r"^    (\S+) =", block, re.MULTILINE)


@unittest.skipUnless(shutil.which("bash"), "there is no bash")
class CompletionTest(ShellTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.script = run(cls.clouds, "complete", "--name",
                         "openstack").out

    def complete(self, *words: str) -> list[set[str]]:
        """Return what bash offers for each beginning of a line."""
        asked = "".join(
            f"COMP_WORDS=({line.removesuffix(' ')}"
            f"{' ' + repr('') if line.endswith(' ') else ''});"
            " COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
            ' _openstack; echo "${COMPREPLY[@]}"\n' for line in words)
        done = subprocess.run(
            ["bash", "--norc"], input=_WORDS + self.script + asked,
            capture_output=True, encoding="utf-8", check=True)
        self.assertEqual("", done.stderr)
        return [set(line.split()) for line in done.stdout.splitlines()]

    def test_bash_offers_commands_and_options(self):
        """D17"""
        expected = {
            "openstack ev": {"event"},
            "openstack event t": {"tail", "timeline", "trait", "transform",
                                  "trigger", "type"},
            "openstack event dead-letter ": {"list", "purge", "replay",
                                             "show"},
            "openstack event trigger back": {"backtest"},
            "openstack event trigger template ": {"list", "show"},
            "openstack event list --resou": {"--resource",
                                             "--resource-type"},
            "openstack event tail --pat": {"--pattern"}}
        self.assertEqual(expected, dict(zip(
            expected, self.complete(*expected), strict=True)))

    def test_it_has_every_command_with_its_options(self):
        names = commands()
        self.assertGreater(len(names), 40)
        offers = self.complete(*(
            f"openstack {name.replace('_', ' ')} --" for name in names))
        for name, found in zip(names, offers, strict=True):
            with self.subTest(command=name):
                self.assertIn("--help", found)
