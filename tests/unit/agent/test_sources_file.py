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

import os
import pathlib
import threading

import fixtures
import testtools

from monasca_events_agent.sources import Bookmark
from monasca_events_agent.sources import file
from monasca_events_agent.sources import Intake
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from tests.unit.agent.sink import options


class Kept(Intake):
    """An intake that keeps everything in memory.

    :ivar room: how many more it takes before it says that it is told to stop
    """

    def __init__(self):
        self.bodies = []
        self.positions = []
        self.batches = 0
        self.marks = {}
        self.room = 10 ** 9

    def __call__(self, notices, bookmark: Bookmark | None = None) -> None:
        if len(notices) > self.room:
            raise Unavailable("stop")
        self.batches += 1
        self.bodies.extend(one.body for one in notices)
        self.positions.extend(one.position for one in notices)
        if bookmark is not None:
            self.marks[bookmark.name] = bookmark.value

    def bookmark(self, name: str) -> str | None:
        return self.marks.get(name)


class TestFileSource(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.path = self.home / "events.json"
        self.kept = Kept()

    def write(self, *lines, path=None, mode="ab"):
        with open(path or self.path, mode) as stream:
            stream.write(b"".join(lines))

    def replay(self, paths=None, **values):
        """Read to the end and stop there, as a process does."""
        conf = options("file", file.FileSource.OPTS, follow=False,
                       paths=[str(path) for path in paths or [self.path]],
                       **values)
        file.FileSource(conf).run(self.kept, threading.Event())
        found, self.kept.bodies = self.kept.bodies, []
        return found

    def reader(self, **values):
        """Follow the file step by step."""
        made = file.Reader(str(self.path), options(
            "file", file.FileSource.OPTS, **values), self.kept)
        self.addCleanup(made.close)
        return made

    def read(self, reader, steps=4):
        for _step in range(steps):
            reader.step()
        found, self.kept.bodies = self.kept.bodies, []
        return found

    def test_a_file_is_read_once_however_often_the_agent_starts(self):
        self.write(b"1\n", b"2\n")
        self.assertEqual([b"1", b"2"], self.replay())
        self.assertEqual([], self.replay())
        self.write(b"3\n")
        self.assertEqual([b"3"], self.replay())

    def test_batches_are_limited_and_positions_are_those_of_the_lines(self):
        self.write(b"aa\n", b"\n", b"bb\r\n", b"cc")
        self.assertEqual([b"aa", b"bb", b"cc"], self.replay(batch_size=2))
        self.assertEqual(["file/events.json/0", "file/events.json/4",
                          "file/events.json/8"], self.kept.positions)
        self.assertEqual(2, self.kept.batches)

    def test_what_was_not_taken_is_read_again_by_the_next_process(self):
        """R10"""
        self.write(b"1\n", b"2\n", b"3\n")
        self.kept.room = 0
        self.assertEqual([], self.replay(batch_size=2))
        self.kept.room = 10
        self.assertEqual([b"1", b"2", b"3"], self.replay())

    def test_several_files_have_a_bookmark_each(self):
        other = self.home / "other.json"
        self.write(b"1\n")
        self.write(b"2\n", path=other)
        self.assertEqual([b"1", b"2"], self.replay([self.path, other]))
        self.write(b"3\n", path=other)
        self.assertEqual([b"3"], self.replay([self.path, other]))

    def test_a_line_is_taken_when_it_is_complete(self):
        reader = self.reader()
        self.write(b"1\n", b"2")
        self.assertEqual([b"1"], self.read(reader))
        self.write(b"2\n")
        self.assertEqual([b"22"], self.read(reader))

    def test_a_file_that_is_not_there_yet_is_waited_for(self):
        reader = self.reader()
        self.assertEqual([], self.read(reader))
        self.write(b"1\n")
        self.assertEqual([b"1"], self.read(reader))

    def test_rotation_by_renaming_loses_no_line(self):
        reader = self.reader()
        self.write(b"1\n")
        self.assertEqual([b"1"], self.read(reader))
        self.write(b"2\n")
        os.rename(self.path, f"{self.path}.1")
        self.write(b"3\n")
        self.write(b"late\n", path=f"{self.path}.1")
        self.assertEqual([b"2", b"late", b"3"], self.read(reader, 6))

    def test_rotation_while_the_agent_was_down_loses_no_line(self):
        self.write(b"1\n")
        self.replay()
        self.write(b"2\n")
        os.rename(self.path, f"{self.path}.1")
        self.write(b"3\n")
        self.assertEqual([b"2", b"3"], self.replay())
        self.assertEqual([], self.replay())

    def test_a_truncated_file_is_read_from_its_beginning(self):
        reader = self.reader()
        self.write(b"first\n", b"second\n")
        self.assertEqual(2, len(self.read(reader)))
        self.write(b"3\n", mode="wb")
        self.assertEqual([b"3"], self.read(reader))

    def test_a_file_that_was_replaced_in_place_is_noticed(self):
        reader = self.reader()
        self.write(b"first\n")
        self.read(reader)
        self.write(b"other\n", b"more\n", mode="wb")
        self.assertEqual([b"other", b"more"], self.read(reader))

    def test_of_a_line_that_is_too_long_the_beginning_is_handed_over(self):
        self.write(b"1\n", b"x" * 5000 + b"\n", b"2\n")
        self.assertEqual([b"1", b"x" * 1024, b"2"],
                         self.replay(max_line_bytes=1024))

    def test_a_bookmark_that_makes_no_sense_is_the_beginning(self):
        self.kept.marks[f"file:{self.path}"] = "nonsense"
        self.write(b"1\n")
        self.assertEqual([b"1"], self.replay())

    def test_no_file_is_the_operators_mistake(self):
        conf = options("file", file.FileSource.OPTS)
        self.assertRaises(Misconfigured, file.FileSource, conf)

    def test_following_ends_when_told(self):
        stop = threading.Event()
        conf = options("file", file.FileSource.OPTS, paths=[str(self.path)],
                       poll_interval=0.01)
        thread = threading.Thread(target=file.FileSource(conf).run,
                                  args=(self.kept, stop))
        thread.start()
        stop.set()
        thread.join(60)
        self.assertFalse(thread.is_alive())
