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

"""Configuration: no global, mistakes are one line, everything is sampled."""

import contextlib
import io
import pathlib
import tempfile
import unittest

from oslo_config import cfg

from monasca_events_common import config
from monasca_events_common.errors import Misconfigured

OPTS = (("shop", [cfg.IntOpt("size", default=1, min=1, mutable=True,
                             help="A size.")]),)


class TestConfig(unittest.TestCase):

    def write(self, text: str) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "x.conf"
        path.write_text(text)
        return str(path)

    def test_two_configurations_do_not_share_anything(self):
        one = config.load(["--config-file", self.write("[shop]\nsize=3\n")],
                          "x", OPTS)
        two = config.load(["--config-file", self.write("")], "x", OPTS)
        self.assertEqual((3, 1), (one.shop.size, two.shop.size))

    def test_a_wrong_value_is_one_line_that_names_it(self):
        path = self.write("[shop]\nsize=0\n")
        with self.assertRaisesRegex(
                Misconfigured, rf"^\[shop\] size: [^\n]+ from {path} is not "
                r"valid: [^\n]+$"):
            config.load(["--config-file", path], "x", OPTS)

    def test_a_missing_file_is_the_operators_mistake(self):
        with self.assertRaisesRegex(Misconfigured, "nowhere.conf"):
            config.load(["--config-file", "/nowhere.conf"], "x", OPTS)

    def test_groups_that_keystoneauth_makes_do_not_stop_a_change(self):
        """It registers its options under an object, not under a name."""
        path = self.write("[shop]\nsize=3\n")
        conf = config.load(["--config-file", path], "x", OPTS)
        conf.register_opts([cfg.StrOpt("key", help="A key.")],
                           group=cfg.OptGroup("door"))
        pathlib.Path(path).write_text("[shop]\nsize=4\n[door]\nkey=k\n")
        conf.mutate()
        self.assertEqual(4, conf.shop.size)

    def test_a_mistake_ends_a_command_with_one_line_and_status_one(self):
        def main(argv):
            raise Misconfigured("the moon is not a bus")
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.assertEqual(1, config.run(main, []))
        self.assertEqual("error: the moon is not a bus\n", errors.getvalue())

    def test_every_option_has_a_sentence_of_help(self):
        for group, opts in config.list_opts():
            for opt in opts:
                with self.subTest(option=f"[{group}] {opt.name}"):
                    self.assertTrue(opt.help)
                    self.assertTrue(opt.help.rstrip().endswith("."))
