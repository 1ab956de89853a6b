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

"""Daemons: SIGTERM ends well, SIGHUP mutates, a dead worker is replaced."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = '''
import os, sys, time
from oslo_config import cfg
from monasca_events_common import config, daemon
folder = sys.argv[1]
conf = config.load(["--config-file", folder + "/x.conf"], "x",
                   (("shop", [cfg.IntOpt("size", default=1, min=1,
                                         mutable=True, help="A size.")]),))
def make(conf):
    def loop(stop):
        while not stop.wait(0.02):
            with open(folder + "/seen.new", "w") as file:
                file.write(f"{os.getpid()} {conf.shop.size}")
            os.rename(folder + "/seen.new", folder + "/seen")
        open(folder + "/drained", "w").close()
    return loop
sys.exit(daemon.run(conf, make))
'''


class TestDaemon(unittest.TestCase):

    def setUp(self):
        # A worker whose master was killed may still write for a moment.
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.configure("[shop]\nsize=1\n")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.folder)],
            start_new_session=True, stderr=subprocess.PIPE)
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def configure(self, text: str) -> None:
        (self.folder / "x.conf").write_text(text)

    def seen(self, wanted) -> tuple[int, int]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                pid, size = map(int, (self.folder / "seen").read_text()
                                .split())
            except (FileNotFoundError, ValueError):
                pid, size = 0, 0
            if pid and wanted(pid, size):
                return pid, size
            time.sleep(0.02)
        self.fail("the worker did not get there")

    def test_sigterm_drains_and_exits_zero(self):
        self.seen(lambda pid, size: True)
        self.process.terminate()
        self.assertEqual(0, self.process.wait(60))
        self.assertTrue((self.folder / "drained").exists())

    def test_a_killed_worker_is_replaced(self):
        first, _ = self.seen(lambda pid, size: True)
        os.kill(first, signal.SIGKILL)
        second, _ = self.seen(lambda pid, size: pid != first)
        self.assertNotEqual(first, second)

    def test_sighup_changes_a_mutable_option_and_keeps_the_worker(self):
        first, _ = self.seen(lambda pid, size: size == 1)
        self.configure("[shop]\nsize=7\n")
        self.process.send_signal(signal.SIGHUP)

        def changed(pid: int, size: int) -> bool:
            # Again: the first one may come before the worker can take it.
            self.process.send_signal(signal.SIGHUP)
            time.sleep(0.2)
            return size == 7
        self.assertEqual((first, 7), self.seen(changed))

    def test_sighup_with_a_bad_file_keeps_the_old_values(self):
        # F23
        first, _ = self.seen(lambda pid, size: size == 1)
        for text in ("[shop]\nsize=zero\n", "nonsense\n"):
            self.configure(text)
            self.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            (self.folder / "seen").unlink(missing_ok=True)
            self.assertEqual((first, 1), self.seen(lambda pid, size: True))
