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


"""monasca-events-generate from the outside."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from monasca_events_agent.traffic import arguments
from monasca_events_agent.traffic import command
from monasca_events_agent.traffic import truth

_RUN = [sys.executable, "-c",
        "from monasca_events_agent.traffic.command import main; "
        "raise SystemExit(main())"]


class TestCommand(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.out = self.path("out")
        self.truth = self.path("truth")

    def path(self, name):
        return os.path.join(self.directory, name)

    def run_it(self, *argv):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            try:
                code = command.main(list(argv))
            except SystemExit as error:
                code = error.code
        return code, errors.getvalue()

    def lines(self, path=None):
        """Return what was written; a kill may have cut the last line."""
        with open(path or self.out) as file:
            return [json.loads(line) for line in file if line[-1] == "\n"]

    def test_the_truth_tells_what_is_in_the_file(self):
        code, said = self.run_it(
            "--file", self.out, "--count", "300", "--seed", "4",
            "--truth", self.truth, "--duplicates", "0.2", "--shuffle", "30")
        self.assertEqual(0, code, said)
        self.assertIn("seed 4: ", said)
        found = [line["message_id"] for line in self.lines()]
        expected = truth.read(self.truth)
        self.assertEqual({one.message_id for one in expected}, set(found))
        self.assertEqual(len(found), sum(one.copies for one in expected))
        self.assertEqual(300, len(expected))
        self.assertEqual({truth.SENT}, {one.outcome for one in expected})
        self.assertEqual(len(found),
                         self.lines(self.truth)[-1]["summary"]["sent"])

    def test_two_processes_send_what_one_sends(self):
        for name, more in (("one", []), ("two", ["--processes", "2"])):
            code, said = self.run_it("--file", self.path(name), "--count",
                                     "400", "--seed", "9", "--quiet",
                                     "--start", "2026-01-01", *more)
            self.assertEqual(0, code)
            self.assertNotIn(arguments.PROG, said)

        def of(name):
            return sorted(map(json.dumps, self.lines(self.path(name))))

        self.assertEqual(of("one"), of("two"))

    def test_poison_in_a_file_is_in_the_truth(self):
        self.run_it("--file", self.out, "--count", "300", "--poison", "0.2",
                    "--truth", self.truth, "--quiet")
        poisons = [one.poison for one in truth.read(self.truth)
                   if one.poison]
        self.assertGreater(len(poisons), 30)
        with open(self.out, "rb") as file:
            text = file.read()
        for one in poisons:
            self.assertTrue(one["marker"].encode() in text, one["kind"])

    def test_a_truth_file_is_never_overwritten(self):
        with open(self.truth, "w") as file:
            file.write("precious")
        code, said = self.run_it("--file", self.out, "--count", "1",
                                 "--truth", self.truth)
        self.assertEqual(1, code)
        self.assertIn("is there already", said)
        self.assertFalse(os.path.exists(self.out))

    def test_mistakes_are_answered_in_one_line(self):
        for argv in (["--count", "1"], ["--file", "x", "--span", "3d"],
                     ["--file", "x", "--errors", "2"],
                     ["--file", "x", "--project", "Nope"],
                     ["--file", "x", "--services", "nova,novo"],
                     ["--file", "x", "--seconds", "soon"],
                     ["--file", "x", "--start", "yesterday"],
                     ["--file", "x", "--count", "none"],
                     ["--file", "x", "--precompute"]):
            with self.subTest(argv=argv):
                code, said = self.run_it(*argv)
                self.assertEqual(2, code)
                self.assertRegex(said.splitlines()[-1],
                                 "^monasca-events-generate: error: ")
        code, said = self.run_it("--file", self.path("no/where"))
        self.assertEqual(1, code)
        self.assertEqual(1, len(said.splitlines()))

    def test_the_help_has_examples(self):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), \
                self.assertRaises(SystemExit):
            command.main(["--help"])
        self.assertIn("examples:", text.getvalue())
        self.assertNotIn("%(", text.getvalue())

    def test_a_span_ends_now_unless_a_start_is_given(self):
        now = command._now()
        given = arguments.parse(["--file", "x", "--count", "9", "--span",
                                 "2d"], now)
        self.assertEqual(2 * 86400,
                         (now - given.options.start).total_seconds())
        self.assertFalse(given.live)
        self.assertTrue(arguments.parse(["--file", "x"], now).live)

    def start(self, *more):
        process = subprocess.Popen(
            [*_RUN, "--file", self.out, "--truth", self.truth, "--seed", "3",
             *more], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        while not (os.path.exists(self.truth)
                   and os.path.getsize(self.truth) > 20000):
            self.assertIsNone(process.poll())
        return process

    def test_nothing_is_told_any_more_when_it_has_ended(self):
        self.assertEqual(0, self.run_it("--count", "5", "--file", self.out,
                                        "--truth", self.truth)[0])
        for one in threading.enumerate():
            if one.name == "report":
                one.join(60)
                self.assertFalse(one.is_alive())

    def test_sigterm_ends_it_in_good_order(self):
        for more in ((), ("--processes", "2")):
            with self.subTest(more=more):
                self.out = self.path(f"out{len(more)}")
                self.truth = self.path(f"truth{len(more)}")
                process = self.start(*more)
                process.send_signal(signal.SIGTERM)
                _, said = process.communicate(timeout=60)
                self.assertEqual(0, process.returncode, said)
                self.assertIn("sent in", said)
                self.assertTrue(
                    self.lines(self.truth)[-1]["summary"]["stopped"])
                self.assertEqual({truth.SENT},
                                 {one.outcome for one
                                  in truth.read(self.truth)})

    def test_kill_9_leaves_at_most_one_message_undecided(self):
        process = self.start()
        process.kill()
        process.wait()
        expected = truth.read(self.truth)
        found = {line["message_id"] for line in self.lines()}
        sent = {one.message_id for one in expected
                if one.outcome == truth.SENT}
        self.assertLessEqual(sent, found)
        self.assertLessEqual(found, {one.message_id for one in expected})
        self.assertLessEqual(len(expected) - len(sent), 1)
