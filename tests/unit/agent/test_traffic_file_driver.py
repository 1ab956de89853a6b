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


"""The notification driver that writes lines."""

import json
import multiprocessing
import os
import resource
import signal
import tempfile
import threading
import unittest

from oslo_config import cfg
import oslo_messaging

from monasca_events_agent.traffic import file_driver
from monasca_events_agent.traffic.file_driver import FileDriver
from monasca_events_agent.traffic.file_driver import LineFile
from monasca_events_common.errors import Misconfigured


class FileCase(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "notifications")

    def lines(self):
        with open(self.path, "rb") as file:
            return file.read().splitlines()


class TestDriver(FileCase):

    def test_a_service_finds_it_by_its_name(self):
        conf = cfg.ConfigOpts()
        config = self.path + ".conf"
        with open(config, "w") as file:
            file.write("[oslo_messaging_notifications]\n"
                       "driver = monasca_events_file\n"
                       f"[monasca_events_file]\npath = {self.path}\n")
        conf(["--config-file", config])
        transport = oslo_messaging.get_notification_transport(conf, "fake:")
        notifier = oslo_messaging.Notifier(transport, "volume.host-1")
        notifier.info({}, "volume.create.end", {"volume_id": "v"})
        line, = map(json.loads, self.lines())
        self.assertEqual(
            ("volume.host-1", "volume.create.end", "INFO",
             {"volume_id": "v"}),
            (line["publisher_id"], line["event_type"], line["priority"],
             line["payload"]))
        self.assertEqual(36, len(line["message_id"]))
        self.assertIn("timestamp", line)

    def test_the_context_is_written_as_on_the_wire(self):
        driver = FileDriver(self._fresh(), [], None)
        driver.notify({"project_id": "p", "roles": ["member"]},
                      {"message_id": "m"}, "INFO", None)
        self.assertEqual({"message_id": "m", "_context_project_id": "p",
                          "_context_roles": ["member"]},
                         json.loads(self.lines()[0]))

    def _fresh(self):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        conf.register_opts(file_driver.OPTS, group=file_driver.GROUP)
        conf.set_override("path", self.path, group=file_driver.GROUP)
        return conf

    def test_without_a_path_it_says_what_it_needs(self):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        with self.assertRaisesRegex(Misconfigured, "monasca_events_file"):
            FileDriver(conf, [], None)


def _write_many(path, writer, count):
    lines = LineFile(path)
    for number in range(count):
        lines.append(b"%d %d " % (writer, number) + b"x" * (number % 3000))


class TestLines(FileCase):

    def test_writers_in_several_processes_never_mix_lines(self):
        context = multiprocessing.get_context("fork")
        writers = [context.Process(target=_write_many,
                                   args=(self.path, writer, 300))
                   for writer in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        seen = {writer: [] for writer in range(4)}
        for line in self.lines():
            writer, number, rest = line.split(b" ")
            self.assertEqual(b"x" * (int(number) % 3000), rest)
            seen[int(writer)].append(int(number))
        for numbers in seen.values():
            self.assertEqual(list(range(300)), numbers)

    def test_threads_share_one_file(self):
        lines = LineFile(self.path)
        threads = [threading.Thread(target=lambda: [
            lines.append(b"y" * 500) for _ in range(100)])
            for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([b"y" * 500] * 400, self.lines())

    def test_a_line_left_open_by_a_kill_is_ended_first(self):
        with open(self.path, "wb") as file:
            file.write(b"whole\nhal")
        LineFile(self.path).append(b"next")
        self.assertEqual([b"whole", b"hal", b"next"], self.lines())

    def test_a_moved_file_is_followed_by_a_new_one(self):
        lines = LineFile(self.path)
        lines.append(b"old")
        os.rename(self.path, self.path + ".1")
        lines.append(b"new")
        self.assertEqual([b"new"], self.lines())

    def test_a_deleted_file_is_made_again(self):
        lines = LineFile(self.path)
        lines.append(b"old")
        os.unlink(self.path)
        lines.append(b"new")
        self.assertEqual([b"new"], self.lines())

    def test_what_does_not_fit_leaves_no_part_behind(self):
        # A limit on the file's size does what a full disk does.
        def child(path):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            lines = LineFile(path)
            lines.append(b"a" * 600)
            try:
                lines.append(b"b" * 600)
            except OSError:
                lines.append(b"c" * 100)
                os._exit(7)

        process = multiprocessing.get_context("fork").Process(
            target=child, args=(self.path,))
        process.start()
        process.join()
        self.assertEqual(7, process.exitcode)
        self.assertEqual([b"a" * 600, b"c" * 100], self.lines())

    def test_a_new_file_is_closed_to_others(self):
        LineFile(self.path).append(b"x")
        self.assertFalse(os.stat(self.path).st_mode & 0o007)

    def test_a_file_that_cannot_be_opened_is_named(self):
        with self.assertRaisesRegex(Misconfigured, "nowhere"):
            LineFile(os.path.join(self.path, "nowhere"))
