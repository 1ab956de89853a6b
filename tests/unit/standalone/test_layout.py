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


"""The state directory: private files, a configuration that can be read."""

import os
import pathlib
import stat
import tempfile
import unittest

from monasca_events_agent import agent
from monasca_events_api import options
from monasca_events_api.identity.local import LocalIdentity
from monasca_events_common import config
from monasca_events_standalone.layout import Layout


class TestLayout(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # The most careless umask that an operator may have.
        self.addCleanup(os.umask, os.umask(0))
        self.layout = Layout(self.folder / "deep" / "state dir", 5999)
        self.layout.prepare()
        self.addCleanup(self.layout.unlock)

    def conf(self):
        return config.load(
            ["--config-file", str(self.layout.config), "--config-file",
             str(self.layout.local_config)], "test",
            [*options.OPTIONS, *agent.GROUPS,
             (LocalIdentity.GROUP, LocalIdentity.OPTS)])

    def test_nobody_else_can_read_anything(self):
        # S14: tokens, events and what carries them.
        self.layout.configure("secret", "operator")
        self.layout.lock()
        for path in (self.layout.root, *self.layout.root.rglob("*")):
            with self.subTest(path=path):
                self.assertEqual(0o700 if path.is_dir() else 0o600,
                                 stat.S_IMODE(path.stat().st_mode))

    def test_a_directory_that_was_open_to_others_is_closed(self):
        self.layout.root.chmod(0o755)
        self.layout.prepare()
        self.assertEqual(0o700, stat.S_IMODE(
            self.layout.root.stat().st_mode))

    def test_the_configuration_names_files_below_the_directory_only(self):
        self.layout.configure("secret", "o" * 32)
        conf = self.conf()
        root = str(self.layout.root)
        for path in (conf.identity_local.tokens_file,
                     conf.identity_local.clouds_file, conf.spool.path):
            self.assertTrue(path.startswith(f"{root}/"), path)
        self.assertEqual(("127.0.0.1", 5999), (conf.api.host, conf.api.port))
        self.assertEqual(["http://127.0.0.1:5999"], conf.poster.endpoints)
        self.assertEqual("o" * 32, conf.agent.operator_project_id)

    def test_what_an_operator_changed_stays_and_wins(self):
        self.layout.local_config.write_text(
            "[api]\nmax_page = 77\n[spool]\nmax_bytes = 12345678\n")
        self.layout.prepare()
        self.layout.configure()
        self.assertEqual(12345678, self.conf().spool.max_bytes)

    def test_notifications_are_kept(self):
        self.layout.notifications.write_text("{}\n")
        self.layout.prepare()
        self.assertEqual("{}\n", self.layout.notifications.read_text())

    def test_one_at_a_time(self):
        self.layout.lock()
        with self.assertRaises(BlockingIOError):
            Layout(self.layout.root, 5998).lock()

    def test_a_path_that_the_configuration_would_misread_is_refused(self):
        for name in ("a,b", "a$b", "a?b", "a#b", "a%20b", "a'b", 'a"b',
                     "a\nb"):
            with self.subTest(name=name), \
                    self.assertRaisesRegex(ValueError, "contains"):
                Layout(self.folder / name, 5999).prepare()
            self.assertFalse((self.folder / name).exists())
