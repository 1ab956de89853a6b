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
import signal
import sqlite3
import stat
import subprocess
import sys
import threading

import fixtures
import testtools

from monasca_events_agent import spool
from monasca_events_agent import spoolfile
from monasca_events_agent.sources import Bookmark
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from tests.unit.agent.sink import options


class SpoolTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        home = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(home) / "spool" / "spool.db"
        self.now = 1000.0

    def open(self, **values):
        opened = spool.Spool(
            options("spool", spool.OPTS, path=str(self.path), **values),
            clock=lambda: self.now)
        self.addCleanup(opened.close)
        return opened

    def bodies(self, opened):
        return [row.body for row in opened.fetch(10 ** 6, 10 ** 9)]


class TestKeeping(SpoolTest):

    def test_events_come_back_in_the_order_in_which_they_were_appended(self):
        opened = self.open()
        opened.append([b"1", b"2"])
        opened.append([b"3"])
        self.assertEqual([b"1", b"2", b"3"], self.bodies(opened))

    def test_what_was_appended_is_there_after_a_restart(self):
        self.open().append([b"1"], Bookmark("file", "7"))
        opened = self.open()
        self.assertEqual([b"1"], self.bodies(opened))
        self.assertEqual("7", opened.bookmark("file"))
        self.assertEqual(spoolfile.Depth(1, 1), opened.depth())

    def test_removed_events_are_gone_and_others_stay(self):
        opened = self.open()
        opened.append([b"1", b"2", b"3"])
        opened.remove(opened.fetch(2, 100))
        self.assertEqual([b"3"], self.bodies(opened))
        self.assertEqual(spoolfile.Depth(1, 1), opened.depth())

    def test_a_fetch_is_limited_by_number_and_by_bytes_but_never_empty(self):
        opened = self.open()
        opened.append([b"a" * 50, b"b" * 50, b"c" * 50])
        self.assertEqual(2, len(opened.fetch(2, 1000)))
        self.assertEqual(2, len(opened.fetch(10, 110)))
        self.assertEqual(1, len(opened.fetch(10, 1)))

    def test_a_bookmark_moves_with_its_events_or_not_at_all(self):
        opened = self.open(max_bytes=1024 ** 2)
        opened.append([b"x" * 1024 ** 2], Bookmark("file", "1"))
        self.assertRaises(Unavailable, opened.append, [b"y"],
                          Bookmark("file", "2"))
        self.assertEqual("1", opened.bookmark("file"))

    def test_the_file_is_0600_in_a_directory_of_0700(self):
        """S22"""
        os.umask(os.umask(0o022))
        self.path.parent.mkdir(mode=0o755)
        self.open().append([b"1"])
        self.assertEqual(0o700, stat.S_IMODE(
            self.path.parent.stat().st_mode))
        for file in self.path.parent.iterdir():
            self.assertEqual(0o600, stat.S_IMODE(file.stat().st_mode), file)

    def test_a_directory_that_cannot_be_made_is_the_operators_mistake(self):
        self.path.parent.write_text("a file")
        self.assertRaises(Misconfigured, self.open)

    def test_two_processes_may_use_one_spool(self):
        one, two = self.open(), self.open()
        one.append([b"1"])
        two.append([b"2"])
        self.assertEqual([b"1", b"2"], self.bodies(one))
        self.assertEqual(spoolfile.Depth(2, 2), two.depth())


    def test_who_waits_learns_what_another_process_appended(self):
        one, two = self.open(), self.open()
        stop = threading.Event()
        two.wait(stop, 0.02)
        one.append([b"1"])
        # In vain for ever, if it were not noticed.
        two.wait(stop, 10 ** 6)
        self.assertEqual([b"1"], self.bodies(two))

    def test_who_waits_is_told_to_stop(self):
        opened = self.open()
        stop = threading.Event()
        opened.wait(stop, 0.02)
        stop.set()
        opened.wait(stop, 10 ** 6)


class TestLimits(SpoolTest):

    def test_a_full_spool_refuses_and_takes_again_when_there_is_room(self):
        """R4, F11"""
        opened = self.open(max_bytes=1024 ** 2)
        opened.append([b"x" * 1024 ** 2])
        error = self.assertRaises(Unavailable, opened.append, [b"y"])
        self.assertEqual("spool_full", error.code)
        opened.remove(opened.fetch(1, 1))
        opened.append([b"y"])
        self.assertEqual([b"y"], self.bodies(opened))

    def test_old_events_are_dropped_only_when_an_age_is_set(self):
        """R4"""
        opened = self.open(max_age=60)
        opened.append([b"old"])
        self.now += 61
        opened.append([b"new"])
        self.assertEqual(1, opened.expire())
        self.assertEqual([b"new"], self.bodies(opened))
        unlimited = self.open()
        self.now += 10 ** 6
        self.assertEqual(0, unlimited.expire())

    def test_a_full_disk_refuses_and_the_file_stays_sound(self):
        """F16"""
        opened = self.open()
        opened.append([b"x" * 100])
        pages, = opened._file.writer.execute("PRAGMA page_count").fetchone()
        opened._file.writer.execute(f"PRAGMA max_page_count={pages + 2}")
        error = self.assertRaises(Unavailable, opened.append,
                                  [b"y" * 100000])
        self.assertEqual("spool_disk_full", error.code)
        opened._file.writer.execute("PRAGMA max_page_count=1000000")
        opened.append([b"z"])
        self.assertEqual([b"x" * 100, b"z"], self.bodies(opened))
        self.assertEqual("ok", opened._file.writer.execute(
            "PRAGMA integrity_check").fetchone()[0])


class TestDamage(SpoolTest):
    """F17: put aside, never deleted; never refuse to start."""

    def aside(self):
        return [file for file in self.path.parent.iterdir()
                if ".corrupt-" in file.name
                and not file.name.endswith(("-wal", "-shm"))]

    def fill(self, count=2000):
        opened = self.open()
        bodies = [b"%05d" % number * 40 for number in range(count)]
        opened.append(bodies, Bookmark("file", "9"))
        opened.close()
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return bodies

    def test_a_file_that_is_no_database_is_put_aside(self):
        self.path.parent.mkdir()
        self.path.write_bytes(b"not a database" * 1000)
        opened = self.open()
        opened.append([b"1"])
        self.assertEqual([b"1"], self.bodies(opened))
        self.assertEqual(b"not a database" * 1000,
                         self.aside()[0].read_bytes())

    def test_a_broken_page_costs_what_is_on_it_and_nothing_else(self):
        bodies = self.fill()
        with open(self.path, "r+b") as file:
            file.seek(4096 * 40)
            file.write(b"\xff" * 4096)
        opened = self.open()
        found = []
        for _attempt in range(3):
            try:
                found = self.bodies(opened)
            except Unavailable as error:
                self.assertEqual("spool_replaced", error.code)
        lost = set(bodies) - set(found)
        self.assertTrue(0 < len(lost) < 100, len(lost))
        self.assertEqual(sorted(found), found)
        self.assertEqual(1, len(self.aside()))
        self.assertEqual("9", opened.bookmark("file"))
        opened.append([b"on"])
        self.assertEqual(
            spoolfile.Depth(len(found) + 1, sum(map(len, found)) + 2),
            opened.depth())

    def test_rows_of_a_replaced_file_name_no_rows_of_the_new_one(self):
        """The poster may have fetched a batch before the damage showed."""
        opened = self.open()
        opened.append([b"posted"] * 10)
        rows = opened.fetch(10, 1000)
        opened._file._replace(ValueError("damage"))
        opened.append([b"not posted yet"] * 10)
        opened.remove(rows)
        self.assertEqual(20, opened.depth().rows)

    def test_whoever_has_the_file_open_too_follows_to_the_new_one(self):
        """A collector and a poster are two processes."""
        one, two = self.open(), self.open()
        one.append([b"1"])
        rows = two.fetch(10, 1000)
        one._file._replace(ValueError("damage"))
        two.append([b"2"])
        two.remove(rows)
        one.append([b"3"])
        self.assertEqual([b"1", b"2", b"3"], self.bodies(one))
        self.assertEqual([b"1", b"2", b"3"], self.bodies(two))
        one.close()
        two.close()
        self.assertEqual([b"1", b"2", b"3"], self.bodies(self.open()))

    def test_a_file_that_two_find_damaged_is_put_aside_once(self):
        one, two = self.open(), self.open()
        one.append([b"1"])
        one._file._replace(ValueError("damage"))
        two._file._replace(ValueError("damage"))
        self.assertEqual([b"1"], self.bodies(two))
        self.assertEqual(1, len(self.aside()))

    def test_what_is_being_written_is_not_put_aside_unseen(self):
        one, two = self.open(), self.open()
        replacing = threading.Thread(target=two._file._replace,
                                     args=(ValueError("damage"),))
        with one._file.writing() as connection:
            replacing.start()
            # Time enough to do it wrong.
            replacing.join(0.3)
            connection.execute(spoolfile.INSERT, (0, 0, b"1"))
            one._file.add(connection, 1, 1)
        replacing.join()
        self.assertEqual([b"1"], self.bodies(one))

    def test_a_file_that_was_taken_away_is_made_again(self):
        opened = self.open()
        opened.append([b"1"] * 3)
        rows = opened.fetch(10, 1000)
        for file in self.path.parent.iterdir():
            file.unlink()
        opened.append([b"2"] * 3)
        opened.remove(rows)
        self.assertEqual([b"2"] * 3, self.bodies(opened))

    def test_changed_bytes_of_an_event_are_noticed(self):
        bodies = self.fill(100)
        content = self.path.read_bytes()
        place = content.index(bodies[50])
        self.path.write_bytes(content[:place + 3] + b"#"
                              + content[place + 4:])
        rows = self.open().fetch(1000, 10 ** 9)
        self.assertEqual([50], [number for number, row in enumerate(rows)
                                if not row.intact])

    def test_a_truncated_journal_costs_at_most_its_end(self):
        opened = self.open()
        for number in range(10):
            opened.append([b"%d" % number * 2000])
        journal = pathlib.Path(f"{self.path}-wal")
        other = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (other / "spool.db").write_bytes(self.path.read_bytes())
        (other / "spool.db-wal").write_bytes(
            journal.read_bytes()[:-journal.stat().st_size // 3])
        self.path = other / "spool.db"
        found = self.bodies(self.open())
        self.assertTrue(found)
        self.assertEqual([b"%d" % number * 2000
                          for number in range(len(found))], found)

    def twice(self, call, *arguments):
        """Do it, and again where the file has been replaced meanwhile.

        Which of them first meets the damage depends on what SQLite reads.
        """
        try:
            return call(*arguments)
        except Unavailable:
            return call(*arguments)

    def test_random_damage_never_keeps_it_from_starting(self):
        self.fill(300)
        content = self.path.read_bytes()
        for place in range(0, min(len(content), 40960), 97):
            damaged = bytearray(content)
            for offset in range(4):
                if place + offset < len(damaged):
                    damaged[place + offset] ^= 0xff
            self.path.write_bytes(damaged)
            opened = self.open()
            rows = self.twice(opened.fetch, 10 ** 6, 10 ** 9)
            self.twice(opened.remove, rows)
            self.twice(opened.append, [b"1"])
            self.assertIn(b"1", self.twice(self.bodies, opened))
            opened.close()
            for file in self.path.parent.iterdir():
                file.unlink()


class TestKill(SpoolTest):

    def test_what_append_returned_for_survives_a_kill(self):
        """F1, R10"""
        program = (
            "import sys, types\n"
            "from monasca_events_agent.spool import Spool\n"
            "spool = Spool(types.SimpleNamespace(path=sys.argv[1],"
            " max_bytes=2**30, max_age=0, synchronous='full'))\n"
            "number = 0\n"
            "while True:\n"
            "    spool.append([b'%d' % (number + one) for one in range(5)])\n"
            "    number += 5\n"
            "    print(number, flush=True)\n")
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(self.path)],
            stdout=subprocess.PIPE, text=True)
        for _turn in range(20):
            promised = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        promised = int(rest[-1]) if rest else promised
        found = self.bodies(self.open())
        self.assertEqual([b"%d" % number for number in range(len(found))],
                         found)
        self.assertTrue(len(found) >= promised)
