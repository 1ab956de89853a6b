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


"""``monasca-events-dead-letters`` as an operator runs it (R2): a process of
its own on a SQLite file. Replaying is in tests/integration."""

import contextlib
import io
import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import unittest

from monasca_events_common.bus.sqlite import SqliteBus
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.deadletters_arguments import parse
from tests.bench.sample import options
from tests.contract.bus import Ownership

COMMAND = pathlib.Path(sys.executable).parent / "monasca-events-dead-letters"
NOW = "2026-11-22T10:00:00.000000Z"
PROJECT = "a" * 32

LETTERS = [
    DeadLetter(stage="persister", code="forged_record", error="Rejected",
               reason="the record's body is not the event that its key and "
                      "headers announce", position="monevents/1/2",
               raw=b"\xff\x00raw", project_id=PROJECT,
               headers={"schema": "1"}),
    DeadLetter(stage="agent", code="event_type_missing", error="Rejected",
               reason="evil\x1b[31m\nforged \u202e\x9b2J \udcff " + "x " * 300,
               position="file/a\x1b[2J\r\nb.ndjson/3", raw=b"{}"),
    DeadLetter(stage="poster", code="timestamp_out_of_window",
               reason="the time is too old", error="Rejected",
               position="event/0b0c63e6-5c2a-4bd4-91c3-f5c8b2a30d5e",
               raw=b"{}", project_id="b" * 32),
]


class CommandCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.url = f"sqlite:///{self.folder}/dead.db"
        self.config = self.folder / "x.conf"
        self.config.write_text(f"""\
[dead_letters]
connection = {self.url}
[sqlite_bus]
path = {self.folder}/none/bus.db
""")
        self.letters = DeadLetters(self.url)
        self.addCleanup(self.letters.close)
        self.letters.put(LETTERS, NOW)

    def run_it(self, *arguments: str, status: int = 0, **environment: str
               ) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [COMMAND, "--config-file", self.config, *arguments],
            capture_output=True, text=True, encoding="utf-8", check=False,
            env={**os.environ, **environment}, timeout=60)
        self.assertEqual(status, done.returncode, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def left(self) -> list[int]:
        return [one.id for one in self.letters.list()]


class TestReading(CommandCase):

    def test_a_list_has_a_line_for_each_letter_and_says_how_many(self):
        done = self.run_it("list")
        lines = done.stdout.splitlines()
        self.assertEqual(3, len(lines))
        for part in ("1", NOW, "persister", "forged_record", "monevents/1/2",
                     "the record's body"):
            self.assertIn(part, lines[0])
        self.assertEqual("3 shown; 3 letters in all\n", done.stderr)

    def test_no_letter_can_move_the_cursor_or_forge_a_line(self):
        for arguments in (("list",), ("list", "--json"), ("show", "2")):
            with self.subTest(arguments=arguments):
                said = self.run_it(*arguments).stdout
                self.assertEqual([], [one for one in said
                                      if not one.isprintable()
                                      and one != "\n"])
        line = self.run_it("list", "--stage", "agent").stdout
        self.assertEqual(1, line.count("\n"))
        self.assertIn(r"evil\x1b[31m\nforged \u202e\x9b2J \udcff", line)
        self.assertIn(r"file/a\x1b[2J\r\nb.ndjson/3", line)

    def test_an_encoding_that_lacks_a_character_is_no_failure(self):
        self.letters.put([DeadLetter(
            stage="agent", code="x", reason="Größe 💥", error="E",
            position="p", raw=b"")], NOW)
        done = self.run_it("list", "--code", "x", PYTHONIOENCODING="ascii")
        self.assertIn(r"Gr\xf6\xdfe \U0001f4a5", done.stdout)

    def test_filters_narrow_the_list(self):
        for arguments, expected in (
                (("--stage", "agent"), [2]),
                (("--code", "forged_record"), [1]),
                (("--project-id", "b" * 32), [3]),
                (("--stage", "agent", "--code", "forged_record"), [])):
            with self.subTest(arguments=arguments):
                done = self.run_it("list", "--json", *arguments)
                self.assertEqual(expected, [
                    json.loads(one)["id"]
                    for one in done.stdout.splitlines()])
                self.assertEqual("", done.stderr)

    def test_more_than_the_limit_says_so(self):
        for arguments in ((), ("--json",)):
            done = self.run_it("list", "--limit", "2", *arguments)
            self.assertEqual(2, len(done.stdout.splitlines()))
            self.assertEqual("2 shown, more match (--limit); 3 letters in "
                             "all\n", done.stderr)
        self.assertNotIn("more", self.run_it("list", "--limit", "3").stderr)

    def test_a_limit_over_one_page_is_kept(self):
        self.letters.put([DeadLetter(stage="agent", code="x", reason="r",
                                     error="E", position=str(number),
                                     raw=b"") for number in range(700)], NOW)
        done = self.run_it("list", "--limit", "650")
        self.assertEqual(650, len(done.stdout.splitlines()))
        self.assertIn("650 shown, more match", done.stderr)

    def test_show_tells_everything(self):
        found = json.loads(self.run_it("show", "1").stdout)
        self.assertEqual(
            {"id": 1, "stage": "persister", "project_id": PROJECT,
             "code": "forged_record", "reason": LETTERS[0].reason,
             "error": "Rejected", "position": "monevents/1/2",
             "first_at": NOW, "last_at": NOW, "attempts": 1,
             "headers": {"schema": "1"}, "raw": "\\xff\x00raw"}, found)

    def test_a_letter_that_is_not_there_is_one_line(self):
        self.assertEqual("error: there is no dead letter 99\n",
                         self.run_it("show", "99", status=1).stderr)

    def test_a_reader_that_leaves_early_is_no_failure_to_look_at(self):
        self.letters.put([DeadLetter(stage="agent", code="x", reason="r" * 999,
                                     error="E", position=str(number),
                                     raw=b"") for number in range(300)], NOW)
        done = subprocess.run(
            ["bash", "-c", '"$@" | head -1', "-", COMMAND, "--config-file",
             self.config, "list", "--limit", "300"], capture_output=True,
            text=True, timeout=60, check=True)
        self.assertEqual(1, done.stdout.count("\n"))
        self.assertNotIn("Error", done.stderr)

    def test_on_a_terminal_no_line_is_broken_by_its_edge(self):
        for columns in (80, 120):
            said = self.on_terminal(columns)
            with self.subTest(columns=columns):
                self.assertLess(max(map(len, said)), columns, said)
                self.assertEqual(3, len([one for one in said
                                         if NOW in one]), said)
                self.assertIn("the record's body", "\n".join(said))

    def on_terminal(self, columns: int) -> list[str]:
        """Return the lines of ``list`` on a terminal of that width."""
        reader, writer = pty.openpty()
        process = subprocess.Popen(
            [COMMAND, "--config-file", self.config, "list"], stdout=writer,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "COLUMNS": str(columns)})
        os.close(writer)
        said = b""
        try:
            while part := os.read(reader, 65536):
                said += part
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(reader)
        self.assertEqual(0, process.wait(60))
        return said.decode().replace("\r\n", "\n").splitlines()


class TestChanging(CommandCase):

    def test_purge_forgets_what_is_named_and_nothing_else(self):
        self.assertEqual("1 purged\n", self.run_it("purge", "2", "2").stdout)
        self.assertEqual([1, 3], self.left())
        self.assertEqual("1 purged\n", self.run_it(
            "purge", "--stage", "poster", "--all").stdout)
        self.assertEqual([1], self.left())
        self.assertEqual("1 purged\n", self.run_it("purge", "--all").stdout)
        self.assertEqual([], self.left())

    def test_purging_what_is_not_there_says_so(self):
        done = self.run_it("purge", "1", "98", "99", status=1)
        self.assertEqual(("1 purged\n", "2 of them did not exist\n"),
                         (done.stdout, done.stderr))

    def test_what_deletes_wants_to_be_told_what(self):
        for action in ("purge", "replay"):
            for arguments in ((), ("--stage", "agent"), ("1", "--all"),
                              ("1", "--stage", "agent")):
                with self.subTest(action=action, arguments=arguments):
                    said = io.StringIO()
                    with contextlib.redirect_stderr(said), \
                            self.assertRaises(SystemExit):
                        parse([action, *arguments])
                    self.assertIn("name letters by id, or say --all",
                                  said.getvalue())
        self.run_it("purge", "--stage", "agent", status=2)
        self.assertEqual([1, 2, 3], self.left())

    def test_a_letter_that_cannot_be_replayed_stays_and_is_named(self):
        self.letters.put([DeadLetter(stage="nobody", code="x", reason="r",
                                     error="E", position="p", raw=b"")], NOW)
        done = self.run_it("replay", "4", "99", status=1)
        self.assertEqual("0 replayed, 2 failed\n", done.stdout)
        self.assertRegex(done.stderr, r"(?s)^4: no plug-in 'nobody' [^\n]+\n"
                                      r"99: there is no dead letter 99\n$")
        self.assertEqual([1, 2, 3, 4], self.left())

    def test_when_a_part_is_down_the_rest_is_not_tried(self):
        # A file where the bus wants its folder.
        (self.folder / "none").write_text("")
        self.letters.put([DeadLetter(
            stage="persister", code="x", reason="r", error="E", position="p",
            raw=b"")], NOW)
        done = self.run_it("replay", "--stage", "persister", "--all",
                           status=1)
        self.assertIn("0 replayed", done.stdout)
        self.assertEqual([1, 2, 3, 4], self.left())

    def test_letters_of_those_that_read_the_bus_go_back_onto_it(self):
        self.letters.put([DeadLetter(
            stage="engine", code="x", reason="r", error="E", position="p/0/1",
            project_id=PROJECT, raw=b"{}", headers={"schema": "1"})], NOW)
        self.assertEqual("2 replayed, 0 failed\n",
                         self.run_it("replay", "1", "4").stdout)
        bus = SqliteBus(options(SqliteBus.OPTS,
                                path=f"{self.folder}/none/bus.db"))
        self.addCleanup(bus.close)
        subscription = bus.subscribe("monevents", "test", Ownership())
        self.addCleanup(subscription.close)
        found = subscription.poll(10, 5)
        self.assertIn((PROJECT.encode(), b"{}", {"schema": b"1"}),
                      [tuple(one[:3]) for one in found])
        self.assertEqual([2, 3], self.left())

    def test_resume_lets_a_stage_go_on(self):
        self.letters.trip("persister", "too bad", NOW)
        self.assertEqual("persister goes on within a second\n",
                         self.run_it("resume", "persister").stdout)
        self.assertIsNone(self.letters.tripped("persister"))
        self.assertEqual("persister did not stand still\n", self.run_it(
            "resume", "persister", status=1).stderr)


class TestCommandLine(CommandCase):

    def test_bad_usage_is_one_line_and_status_two(self):
        for arguments in ((), ("bogus",), ("show",), ("show", "x"),
                          ("show", "-1"), ("show", "9" * 30), ("resume",),
                          ("list", "--limit", "0"), ("list", "--bogus"),
                          ("list", "--limit", "many")):
            with self.subTest(arguments=arguments):
                said = io.StringIO()
                with contextlib.redirect_stderr(said), \
                        self.assertRaises(SystemExit) as caught:
                    parse(arguments)
                self.assertEqual(2, caught.exception.code)
                self.assertRegex(said.getvalue(), r"\Aerror: [^\n]+\n\Z")
        done = self.run_it("bogus", status=2)
        self.assertRegex(done.stderr, r"\Aerror: [^\n]+\n\Z")
        self.assertEqual("", done.stdout)

    def test_a_configuration_that_cannot_be_is_one_line(self):
        self.config.write_text("[dead_letters\n")
        done = self.run_it("list", status=1)
        self.assertRegex(done.stderr, r"\Aerror: [^\n]+\n\Z")

    def test_a_database_that_cannot_be_is_one_line(self):
        for url in ("sqlite:////nowhere/at/all.db", "bogus://u:secret@x",
                    "nonsense", f"sqlite:///{self.config}"):
            with self.subTest(url=url):
                self.config.write_text(
                    f"[dead_letters]\nconnection = {url}\n")
                done = self.run_it("list", status=1)
                self.assertRegex(done.stderr, r"\Aerror: [^\n]+\n\Z")
                self.assertNotIn("secret", done.stderr)

    def test_help_shows_examples_line_by_line(self):
        said = self.run_it("--help", COLUMNS="80").stdout
        for action in ("list", "show", "replay", "purge", "resume"):
            example = rf"(?m)^  monasca-events-dead-letters {action} "
            self.assertRegex(said, example)
            own = io.StringIO()
            with contextlib.redirect_stdout(own), \
                    self.assertRaises(SystemExit):
                parse([action, "--help"])
            self.assertRegex(own.getvalue(), example)
        self.assertLessEqual(max(map(len, said.splitlines())), 80)
