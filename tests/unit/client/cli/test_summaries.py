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

"""``event type list``, ``trait list`` and ``stats`` as somebody types them."""

import datetime
import re

from tests.unit.client.cli.shell import ShellTest

NOON = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.timezone.utc)
WEEK = ("--since", "2026-11-20", "--until", "2026-11-22")


class SummariesTest(ShellTest):
    """Thirty orders, one every half hour, every tenth one an error."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.site.client().events.post(
            {"event_type": f"shop.order.{'paid' if n % 3 else 'placed'}",
             "event_id": f"{n}", "resource_id": f"order-{n}",
             "timestamp": (NOON + n * datetime.timedelta(minutes=30)
                           ).isoformat(),
             "priority": "ERROR" if n % 10 == 0 else "INFO",
             "traits": {"total": n, "till": f"t{n % 2}"}} for n in range(30))

    def setUp(self):
        super().setUp()
        self.stored(30)

    def test_types_are_counted(self):
        self.assertEqual(
            [{"Type": "shop.order.paid", "Count": 20},
             {"Type": "shop.order.placed", "Count": 10}],
            self.event("type", "list", "-f", "json").json)
        self.assertEqual("shop.order.placed 5\n", self.event(
            "type", "list", "--type", "shop.order.placed", "--trait",
            "total>13", "-f", "value").out)

    def test_traits_have_types(self):
        found = [{"Name": "till", "Type": "string"},
                 {"Name": "total", "Type": "integer"}]
        self.assertEqual(found, self.event(
            "trait", "list", "--type", "shop.order.paid", "-f", "json").json)
        self.assertEqual(found, self.event("trait", "list", "-f",
                                           "json").json)
        self.assertEqual([], self.event("trait", "list", "--type", "no",
                                        "-f", "json").json)

    def test_numbers_are_drawn(self):
        done = self.event("stats", *WEEK, cells=60)
        self.assertEqual(
            "30 events from 2026-11-20 00:00:00 to 2026-11-22 00:00:00 UTC, "
            "by 2 h", done.lines[0])
        self.assertLessEqual(max(map(len, done.lines[1:])), 60)
        bars = dict(re.findall(r"(?m)^(.{16})  +(\d+)", done.out))
        # Of a day, what is empty for long is one line.
        self.assertEqual(24 - 2, len(bars))
        self.assertEqual("… 2 more without events", done.lines[-1])
        self.assertEqual(30, sum(map(int, bars.values())))
        self.assertEqual("4", bars["2026-11-20 12:00"])
        self.assertEqual("0", bars["2026-11-21 04:00"])
        # The most is as wide as there is room, half of it half as wide.
        full = next(one for one in done.lines if "12:00" in one)
        self.assertEqual(60, len(full))
        half = next(one for one in done.lines if "21 02:00" in one)
        self.assertAlmostEqual(full.count("█") / 2, half.count("█"), delta=1)

    def test_groups_are_told_apart(self):
        done = self.event("stats", *WEEK, "--by", "priority", "--interval",
                          "1d", cells=60)
        self.assertIn("█ INFO   ▓ ERROR", done.lines)
        self.assertRegex(done.lines[-2], "^2026-11-20  24  █+▓+$")
        self.assertRegex(done.lines[-1], "^2026-11-21   6  █+▓?$")

    def test_groups_without_time_are_one_bar_each(self):
        done = self.event("stats", *WEEK, "--by", "event_type", "--interval",
                          "none", cells=60)
        self.assertRegex(done.lines[-2], "^shop.order.paid +20  █+$")
        self.assertRegex(done.lines[-1], "^shop.order.placed +10  █+▌?$")

    def test_programs_get_the_numbers(self):
        found = self.event("stats", *WEEK, "--interval", "1d", "--by",
                           "traits.till", "-f", "json").json
        self.assertEqual(
            [{"Start": "2026-11-20T00:00:00.000000Z", "Count": 24,
              "Groups": {"t0": 12, "t1": 12}},
             {"Start": "2026-11-21T00:00:00.000000Z", "Count": 6,
              "Groups": {"t0": 3, "t1": 3}}], found)
        rows = self.event("stats", *WEEK, "--interval", "1d", "-f",
                          "csv").rows
        self.assertEqual(["24", "6"], [one["Count"] for one in rows])

    def test_nothing_is_no_bar(self):
        done = self.event("stats", *WEEK, "--type", "nothing")
        self.assertEqual(1, len(done.lines))
        self.assertTrue(done.out.startswith("0 events from"))

    def test_what_cannot_be_counted_is_told(self):
        done = self.event("stats", *WEEK, "--interval", "1x", code=2)
        self.assertIn("'1x' is no time span", done.err)
        done = self.event("stats", *WEEK, "--by", "colour", code=1)
        self.assertIn("colour", done.err)
        done = self.event("stats", "--since", "365d", "--interval", "1s",
                          code=1)
        self.assertIn("narrow", done.err)
