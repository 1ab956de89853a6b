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

"""Tenants' text where people read it."""

import unittest

from monasca_events_common import printable


class TestEscape(unittest.TestCase):

    def test_nothing_of_it_steers_a_terminal_or_begins_a_line(self):
        """S15"""
        text = ("a\n2026 forged\r\x1b[31m\x00\x7f\x9b1m\u2028\u2029\u202e"
                "\u200f\u2066\ufeff\ud800z")
        found = printable.escape(text)
        self.assertTrue(found.isprintable(), found)
        self.assertTrue(found.startswith(
            r"a\u000a2026 forged\u000d\u001b[31m"))
        self.assertTrue(found.endswith("z"))

    def test_ordinary_text_stays_as_it_is(self):
        for text in ("", "plain", "Gr\u00fc\u00dfe \u4f60\u597d \\n '\""):
            self.assertEqual(text, printable.escape(text))

    def test_a_long_text_is_cut_and_says_so(self):
        self.assertEqual("abc\u2026", printable.escape("abcdef", 4))
        self.assertEqual("abcd", printable.escape("abcd", 4))
