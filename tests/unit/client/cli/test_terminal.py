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

"""What a terminal shows: text, cells, bars, times, progress. Pure."""

import datetime
import io
import threading
import unittest

from monasca_events_client.cli import bars
from monasca_events_client.cli import columns
from monasca_events_client.cli import filters
from monasca_events_client.cli import moments
from monasca_events_client.cli import printable
from monasca_events_client.cli.progress import Progress
from monasca_events_client.cli.progress import Waiting


class PrintableTest(unittest.TestCase):

    def test_nothing_steers_the_terminal(self):
        """S16"""
        for code in (*range(0x20), 0x7f, 0x9b, 0x202e, 0x2028, 0x200f,
                     0xfeff, 0xd800):
            with self.subTest(code=hex(code)):
                self.assertEqual(f"a\\u{code:04x}b",
                                 printable.escape(f"a{chr(code)}b"))
        self.assertEqual("grün 語 🙂", printable.escape("grün 語 🙂"))

    def test_width_counts_cells(self):
        for text, cells in (("abc", 3), ("語語", 4), ("é", 1), ("e\u0301", 1),
                            ("", 0)):
            with self.subTest(text=text):
                self.assertEqual(cells, printable.width(text))

    def test_a_text_is_cut_to_its_cells(self):
        for text, cells, found in (("abc", 3, "abc"), ("abcd", 3, "ab…"),
                                   ("語語語", 4, "語…"), ("", 0, "")):
            with self.subTest(text=text):
                self.assertEqual(found, printable.cut(text, cells))
                self.assertEqual(cells, printable.width(
                    printable.pad(text, cells)))

    def test_a_document_is_indented_where_it_is_long(self):
        self.assertEqual('{"a": 1}', printable.pretty({"a": 1}))
        self.assertEqual('{\n  "a": [1, 2],\n  "b": "x"\n}',
                         printable.pretty({"a": [1, 2], "b": "x"}, 12))
        self.assertEqual("[]", printable.pretty([], 1))


class ColumnsTest(unittest.TestCase):

    def test_programs_get_the_value_and_people_words(self):
        stamp = "2026-11-22T10:00:00.123456Z"
        for cell, words, value in (
                (columns.Moment(stamp), "2026-11-22 10:00:00", stamp),
                (columns.Moment(None), "", None),
                (columns.Pairs({"b": 1, "a": "x"}), "a = x\nb = 1",
                 {"b": 1, "a": "x"}),
                (columns.Lines(["x", 2]), "x\n2", ["x", 2]),
                (columns.Document({}), "", {}),
                (columns.Told([1], "one\x1b\ntwo"), "one\\u001b\ntwo", [1])):
            with self.subTest(cell=cell):
                self.assertEqual(words, cell.human_readable())
                self.assertEqual(value, cell.machine_readable())

    def test_wide_columns_are_cut_first_come_first_served(self):
        names = ("ID", "Name", "Type")
        rows = [["0123456789abcdef", "n" * 20, "t" * 10]]
        floors = {"ID": 8, "Name": 6}
        self.assertEqual(rows, columns.fit(names, rows, 60, floors))
        for cells, widths in ((50, (8, 20, 10)), (40, (8, 12, 10)),
                              (20, (8, 6, 10))):
            with self.subTest(cells=cells):
                row, = columns.fit(names, rows, cells, floors)
                self.assertEqual(widths, tuple(map(len, row)))
                self.assertEqual("01234567", row[0])


class BarsTest(unittest.TestCase):

    def test_what_is_not_nothing_is_seen(self):
        self.assertEqual("", bars.bar(0, 10))
        self.assertEqual("▏", bars.bar(0.0001, 10))
        self.assertEqual("█████", bars.bar(0.5, 10))
        self.assertEqual("█" * 10, bars.bar(7, 10))

    def test_groups_share_a_bar(self):
        self.assertEqual("█████▓▓▓··", bars.stacked((50, 30), 20, 100, 10))
        self.assertEqual("█▓", bars.stacked((999, 1), 0, 5000, 10))
        self.assertEqual("", bars.stacked((0, 0), 0, 10, 10))

    def test_small_groups_are_others(self):
        rows = [bars.Row("x", 28, dict(zip("abcdefg", range(7, 0, -1),
                                           strict=True)))]
        legend, line = bars.histogram(rows, 80)
        self.assertEqual("█ a   ▓ b   ▒ c   ░ d   · others", legend)
        self.assertIn("·", line)

    def test_an_interval_is_a_round_one(self):
        for seconds, interval in ((60, 5), (3600, 300), (86400, 3600),
                                  (7 * 86400, 21600), (366 * 86400, 1209600)):
            with self.subTest(seconds=seconds):
                self.assertEqual(interval, bars.interval(seconds))


class MomentsTest(unittest.TestCase):
    NOW = datetime.datetime(2026, 11, 22, 10, tzinfo=datetime.timezone.utc)

    def test_times_are_read_as_people_type_them(self):
        for text, moment in (
                ("now", "2026-11-22T10:00:00.000000Z"),
                ("90s", "2026-11-22T09:58:30.000000Z"),
                ("1h", "2026-11-22T09:00:00.000000Z"),
                ("2w", "2026-11-08T10:00:00.000000Z"),
                ("2026-11-20", "2026-11-20T00:00:00.000000Z"),
                ("2026-11-20T13:00+01:00", "2026-11-20T12:00:00.000000Z")):
            with self.subTest(text=text):
                self.assertEqual(moment, moments.moment(text, self.NOW))
        for wrong in ("", "yesterday", "1y", "-1h", "999999w", "1h30m"):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                moments.moment(wrong, self.NOW)

    def test_spans_are_told_shortly(self):
        for seconds, text in (
                (0, "0.0 ms"), (0.0012, "1.2 ms"), (0.25, "250 ms"),
                (1.84, "1.8 s"), (59.4, "59 s"), (60, "1 min"),
                (125, "2 min 5 s"), (7500, "2 h 5 min"),
                (90000, "1 d 1 h")):
            with self.subTest(seconds=seconds):
                self.assertEqual(text, moments.duration(seconds))


class FiltersTest(unittest.TestCase):

    def test_a_value_is_not_taken_for_an_operator(self):
        for text, value in (("a", "a"), ("a*", "prefix:a"),
                            ("*", "exists:true"), ("ne:a", "eq:ne:a"),
                            ("urn:a", "urn:a")):
            with self.subTest(text=text):
                self.assertEqual(value, filters.value(text))

    def test_a_trait_may_have_any_value(self):
        for text, found in (
                ("a=b=c", ("a", "b=c")), ("a!=1", ("a", "ne:1")),
                ("a.b>=1", ("a.b", "gte:1")), ("a", ("a", "exists:true")),
                ("!a", ("a", "exists:false")), ("a=", ("a", "")),
                ("a=x*", ("a", "prefix:x"))):
            with self.subTest(text=text):
                self.assertEqual(found, filters.trait(text))
        for wrong in ("", "=1", "!a=1", "a b"):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                filters.trait(wrong)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTest(unittest.TestCase):

    def setUp(self):
        self.now = 0.0

    def test_what_is_quick_is_quiet(self):
        stream = _Terminal()
        with Progress(stream, "posting", clock=lambda: self.now) as progress:
            self.now = 1.9
            progress.show("1 read")
        self.assertEqual("", stream.getvalue())

    def test_a_terminal_sees_one_line_that_goes_away(self):
        stream = _Terminal()
        with Progress(stream, "posting", 60, lambda: self.now) as progress:
            for self.now in (2, 2.05, 3, 4):
                progress.show(f"{self.now}", share=self.now / 4)
        self.assertEqual(3, stream.getvalue().count("posting"))
        self.assertIn("100%", stream.getvalue())
        self.assertNotIn("\n", stream.getvalue())
        self.assertTrue(stream.getvalue().endswith("\r\x1b[K"))

    def test_a_file_gets_a_line_now_and_then(self):
        stream = io.StringIO()
        with Progress(stream, "posting", 40, lambda: self.now) as progress:
            for self.now in range(100):
                progress.show(f"{self.now}", share=self.now / 100)
        self.assertEqual(["posting: 2 (2%)", "posting: 32 (32%)",
                          "posting: 62 (62%)", "posting: 92 (92%)"],
                         stream.getvalue().splitlines())


class WaitingTest(unittest.TestCase):

    def setUp(self):
        self.now = 0.0
        self.drawn = threading.Event()

    def stream(self) -> io.StringIO:
        test = self

        class Told(_Terminal):
            def flush(self) -> None:
                test.drawn.set()
        return Told()

    def test_who_waits_for_long_sees_for_how_long(self):
        stream = self.stream()
        with Waiting(stream, 60, 0.001, lambda: self.now):
            self.now = 3.0
            self.assertTrue(self.drawn.wait(60))
        self.assertIn("waiting for the answer: 3 s", stream.getvalue())
        self.assertTrue(stream.getvalue().endswith("\r\x1b[K"))

    def test_what_is_answered_soon_is_quiet(self):
        stream = self.stream()
        with Waiting(stream, 60, 0.001, lambda: self.now):
            self.now = 1.9
            self.assertFalse(self.drawn.wait(0.05))
        self.assertEqual("", stream.getvalue())

    def test_the_line_is_gone_before_anything_else_is_told(self):
        stream = self.stream()
        with Waiting(stream, 60, 0.001, lambda: self.now) as waiting, \
                Progress(stream, "reading", 60, lambda: self.now,
                         waiting.stop) as progress:
            self.now = 3.0
            self.assertTrue(self.drawn.wait(60))
            progress.show("7")
        before, _, after = stream.getvalue().partition("\rreading: 7")
        self.assertTrue(before.endswith("\r\x1b[K"))
        self.assertNotIn("waiting", after)

    def test_nobody_waits_before_a_file(self):
        stream = io.StringIO()
        with Waiting(stream, 60, 0.001, lambda: 9.0):
            pass
        self.assertEqual("", stream.getvalue())
