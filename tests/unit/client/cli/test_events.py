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

"""``event list`` and ``event show`` as somebody types them."""

import datetime

from tests.functional import service
from tests.unit.client.cli.shell import ShellTest

NOW = datetime.datetime.now(datetime.timezone.utc)

HOSTILE = "x\x1b[2J\n| forged |\u202e=cmd()"


def ago(minutes: int) -> str:
    return (NOW - datetime.timedelta(minutes=minutes)).isoformat()


class EventsTest(ShellTest):
    """Ten orders, one an hour, the newest one an hour ago; one is hostile."""

    settings = {"limits__default_page": "3", "limits__max_page": "4"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.site.client().events.post([
            *({"event_type": f"shop.order.{'placed' if n % 2 else 'paid'}",
               "event_id": f"{n}", "resource_id": f"order-{n}",
               "resource_type": "order", "timestamp": ago(60 * n),
               "priority": "ERROR" if n == 3 else "INFO",
               "request_id": f"req-{n}", "user_id": f"user-{n}",
               "publisher_id": "till-1",
               "traits": {"total": 10 * n, "express": n == 1},
               "dimensions": {"shop": "north" if n < 5 else "south"},
               "payload": {"note": f"gift number{n}"}}
              for n in range(1, 11)),
            {"event_type": "hostile", "event_id": "h", "timestamp": ago(9999),
             "resource_id": HOSTILE, "traits": {"a": HOSTILE},
             "payload": {HOSTILE: [HOSTILE]}}])

    def setUp(self):
        super().setUp()
        self.all = self.stored(11)

    def numbers(self, *arguments: str) -> list[int]:
        done = self.event("list", "-f", "json", *arguments)
        return [int(one["Resource ID"].partition("-")[2])
                for one in done.json]

    def test_the_newest_stand_first(self):
        done = self.event("list", "--since", "1d", cells=120)
        self.assertEqual(["+", "|", "+", *"|" * 10, "+"],
                         [one[0] for one in done.lines])
        self.assertIn("Time", done.lines[1])
        self.assertIn(" order-1 ", done.lines[3])
        self.assertIn(" order-10 ", done.lines[12])
        # A terminal gets whole seconds in UTC, a program all that is known.
        newest = self.all[0]["timestamp"]
        self.assertIn(f"| {newest[:19].replace('T', ' ')} |", done.lines[3])
        self.assertEqual(newest, self.event(
            "list", "--limit", "1", "-f", "json").json[0]["Time"])

    def test_every_filter_finds_what_it_says(self):
        for arguments, numbers in (
                (["--since", "150m"], [1, 2]),
                (["--since", ago(190), "--until", ago(100)], [2, 3]),
                (["--until", "9h", "--since", "1d"], [9, 10]),
                (["--type", "shop.order.paid", "--limit", "2"], [2, 4]),
                (["--type", "shop.*", "--limit", "2"], [1, 2]),
                (["--resource", "order-2", "--resource", "order-4"], [2, 4]),
                (["--resource-type", "order", "--limit", "1"], [1]),
                (["--priority", "error"], [3]),
                (["--user", "user-7"], [7]),
                (["--request", "req-8"], [8]),
                (["--publisher", "till-1", "--limit", "1"], [1]),
                (["--source", "api", "--limit", "1"], [1]),
                (["--id", self.all[4]["event_id"]], [5]),
                (["--trait", "total>80"], [9, 10]),
                (["--trait", "total>=80", "--trait", "express"],
                 [8, 9, 10]),
                (["--trait", "express=true"], [1]),
                (["--trait", "total=20"], [2]),
                (["--trait", "total<20"], [1]),
                (["--trait", "total!=10", "--trait", "total"], None),
                (["--dimension", "shop=south", "--limit", "1"], [5]),
                (["--word", "gift", "--word", "number6"], [6]),
                (["--filter", "priority=ne:INFO", "--type", "shop.*"], [3]),
                (["--quick", "--word", "number6"], [6]),
                (["--domain", "none"], []),
                (["--global-request", "none"], []),
                (["--sort", "asc", "--since", "1d", "--limit", "2"],
                 [10, 9])):
            with self.subTest(arguments=arguments):
                if numbers is None:
                    self.event("list", *arguments)
                else:
                    self.assertEqual(numbers, self.numbers(*arguments))

    def test_all_are_shown_when_no_limit_is_wanted(self):
        done = self.event("list", "--limit", "0", "-f", "csv")
        self.assertEqual([one["event_id"] for one in self.all],
                         [one["ID"] for one in done.rows])
        self.assertEqual("", done.err)

    def test_what_was_left_out_is_told_of(self):
        done = self.event("list", "--limit", "4", "-f", "csv")
        self.assertEqual(4, len(done.rows))
        self.assertIn("there are more events; --limit 0", done.err)

    def test_nothing_is_found_quietly(self):
        done = self.event("list", "--type", "nothing")
        self.assertEqual(("", ""), (done.out.strip(), done.err))
        self.assertEqual([], self.event("list", "--type", "nothing", "-f",
                                        "json").json)

    def test_long_tells_more(self):
        row, = self.event("list", "--long", "--priority", "error", "-f",
                          "json").json
        self.assertEqual(
            ("ERROR", "order", "till-1", "user-3", "req-3"),
            tuple(row[name] for name in (
                "Priority", "Resource type", "Publisher", "User ID",
                "Request ID")))

    def test_a_table_fits_into_the_terminal(self):
        for cells in (70, 80, 100, 200):
            with self.subTest(cells=cells):
                done = self.event("list", "--since", "1d", cells=cells)
                self.assertEqual(14, len(done.lines))
                self.assertLessEqual(max(map(len, done.lines)), cells)
                shown = done.lines[3].split("|")[-2].strip()
                # What is left of the id finds the event.
                found = self.event("show", shown, "-f", "json").json
                self.assertEqual(self.all[0]["event_id"], found["event_id"])

    def test_what_tenants_wrote_cannot_steer_a_terminal(self):
        """S16"""
        for form in ("table", "value", "csv", "json", "yaml"):
            for command in (("list", "--type", "hostile"),
                            ("show", self.all[-1]["event_id"])):
                if form == "csv" and command[0] == "show":
                    continue
                with self.subTest(form=form, command=command):
                    done = self.event(*command, "-f", form, cells=200)
                    for wrong in ("\x1b", "\u202e"):
                        self.assertNotIn(wrong, done.out)
                    self.assertNotRegex(done.out, r"(?m)^\s*\| forged")

    def test_a_spreadsheet_computes_nothing(self):
        """S16"""
        self.client.events.post([{"event_type": "=1+1", "event_id": "f",
                                  "timestamp": ago(99999)}])
        self.stored(1, event_type="eq:=1+1")
        row, = self.event("list", "--type", "=1+1", "-f", "csv").rows
        self.assertEqual("'=1+1", row["Type"])

    def test_one_event_is_shown_whole(self):
        event = self.all[2]
        shown = self.event("show", event["event_id"], "-f", "json").json
        self.assertEqual(event, shown)
        done = self.event("show", event["event_id"][:8], cells=90)
        self.assertIn("| traits            | express = false ", done.out)
        self.assertIn("|                   | total = 30 ", done.out)
        self.assertEqual("gift number3", self.event(
            "show", event["event_id"], "-f", "json", "-c", "payload"
        ).json["payload"]["note"])

    def test_what_is_not_there_is_told(self):
        done = self.event("show", "ffffffff", code=3)
        self.assertEqual("openstack: there is no event 'ffffffff'\n",
                         done.err)
        self.event("show", "00000000-0000-4000-8000-000000000000", code=3)

    def test_a_beginning_of_several_is_refused(self):
        beginnings = [one["event_id"][:1] for one in self.all]
        several = max(beginnings, key=beginnings.count)
        self.assertLess(1, beginnings.count(several), beginnings)
        done = self.event("show", several, code=1)
        self.assertIn("more than one event's id; give the whole id",
                      done.err)
        self.event("show", "", code=2)
        self.event("show", "..", code=2)

    def test_administrators_see_other_projects(self):
        for scope in (["--all-projects"], ["--project", service.PROJECT]):
            done = self.event("list", "--limit", "0", "-f", "json", *scope,
                              cloud="admin")
            self.assertGreaterEqual(len(done.json), 11)
        row = self.event("list", "--all-projects", "--limit", "1", "-f",
                         "json", cloud="admin").json[0]
        self.assertEqual(service.PROJECT, row["Project ID"])
        done = self.event("list", "--all-projects", code=4)
        self.assertIn("this needs another role", done.err)

    def test_a_project_s_name_needs_keystone(self):
        done = self.event("list", "--project", "demo", cloud="admin", code=2)
        self.assertIn("give its id", done.err)
