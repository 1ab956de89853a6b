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

"""Dead letters keep everything a person needs (R2)."""

from concurrent import futures
import dataclasses
import pathlib
import stat
import tempfile
import threading
import unittest

from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Unavailable

NOW = "2026-11-22T10:00:00.000000Z"
LATER = "2026-11-22T11:00:00.000000Z"
LETTER = DeadLetter(stage="persister", code="forged_record", reason="why",
                    error="Rejected", position="monevents/1/2",
                    raw=b"\xff\x00raw", project_id="a" * 32,
                    headers={"schema": "1"})


class TestDeadLetters(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name, "dead.db")
        self.url = f"sqlite:///{self.path}"
        self.letters = DeadLetters(self.url)
        self.addCleanup(self.letters.close)

    def test_a_letter_comes_back_whole(self):
        self.letters.put([LETTER], NOW)
        found, = self.letters.list()
        self.assertEqual(
            dataclasses.replace(LETTER, id=found.id, first_at=NOW,
                                last_at=NOW), found)
        self.assertEqual(found, self.letters.get(found.id))

    def test_the_same_position_twice_is_one_letter_with_two_attempts(self):
        self.letters.put([LETTER], NOW)
        self.letters.put([LETTER], LATER)
        found, = self.letters.list()
        self.assertEqual((2, NOW, LATER),
                         (found.attempts, found.first_at, found.last_at))

    def test_equal_bytes_at_another_position_are_another_letter(self):
        self.letters.put([LETTER, dataclasses.replace(
            LETTER, position="monevents/1/3")], NOW)
        self.assertEqual({("persister", "forged_record"): 2},
                         self.letters.count())

    def test_letters_are_filtered_and_paged(self):
        self.letters.put([dataclasses.replace(
            LETTER, position=str(n), stage="agent" if n % 2 else "persister")
            for n in range(10)], NOW)
        first = self.letters.list(stage="agent", limit=3)
        rest = self.letters.list(stage="agent", after=first[-1].id)
        self.assertEqual(["1", "3", "5", "7", "9"],
                         [one.position for one in [*first, *rest]])
        self.assertEqual([], self.letters.list(project_id="b" * 32))

    def test_when_full_the_stage_waits_and_nothing_is_dropped(self):
        letters = DeadLetters(self.url, max_letters=1)
        letters.put([LETTER], NOW)
        with self.assertRaises(Unavailable) as caught:
            letters.put([dataclasses.replace(LETTER, position="x")], NOW)
        self.assertEqual("dead_letters_full", caught.exception.code)
        self.assertEqual(1, len(letters.list()))
        letters.close()

    def test_a_removed_letter_is_gone(self):
        self.letters.put([LETTER], NOW)
        found, = self.letters.list()
        self.assertEqual(1, self.letters.remove([found.id]))
        with self.assertRaises(NotFound):
            self.letters.get(found.id)

    def test_a_tripped_breaker_survives_a_restart_until_resumed(self):
        self.letters.trip("persister", "too bad", NOW)
        again = DeadLetters(self.url)
        self.addCleanup(again.close)
        self.assertEqual("too bad", again.tripped("persister"))
        self.assertTrue(again.resume("persister"))
        self.assertIsNone(self.letters.tripped("persister"))
        self.assertFalse(again.resume("persister"))

    def test_a_database_that_cannot_answer_is_unavailable(self):
        letters = DeadLetters("sqlite:////nowhere/at/all.db")
        self.addCleanup(letters.close)
        with self.assertRaises(Unavailable):
            letters.put([LETTER], NOW)

    def test_only_the_owner_reads_a_file_of_letters(self):
        self.letters.put([LETTER], NOW)
        for path in self.path.parent.iterdir():
            self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode), path)

    def test_several_that_start_at_once_create_the_tables_together(self):
        for attempt in range(20):
            several = [DeadLetters(f"{self.url}.{attempt}") for _ in range(6)]
            ready = threading.Barrier(len(several))

            def use(letters, ready=ready):
                ready.wait()
                letters.list()
                letters.close()

            with futures.ThreadPoolExecutor(len(several)) as pool:
                list(pool.map(use, several))
