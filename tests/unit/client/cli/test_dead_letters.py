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

"""Dead letters, through the API as it is served and as somebody types it."""

from monasca_events_client import errors
from tests.functional import fixtures
from tests.functional import service
from tests.functional.test_dead_letters import NOW
from tests.functional.test_dead_letters import stored_letter
from tests.unit.client.cli.shell import ShellTest


class DeadLettersTest(ShellTest):

    def setUp(self):
        super().setUp()
        self.letters = self.site.service.parts.dead_letters
        self.remote = self.admin.dead_letters
        self.letters.remove([one.id for one in self.letters.list(
            limit=10000)])

    def put(self, *letters) -> list[int]:
        self.letters.put(letters, NOW)
        return [one.id for one in self.letters.list(limit=10000)]

    def bad(self, number: int, **others):
        """Return a letter that no replay brings further."""
        return fixtures.letter(stage="agent", position=f"bad/{number}",
                               **others)

    def dead(self, *arguments: str, cloud: str = "admin", **options):
        return self.event("dead-letter", *arguments, cloud=cloud, **options)

    # -- the library

    def test_letters_are_listed_and_shown(self):
        ids = self.put(*(self.bad(n) for n in range(5)))
        self.assertEqual(ids, [one["id"] for one in self.remote.list(
            page_size=2)])
        self.assertEqual(ids[:3], [one["id"] for one in self.remote.list(
            limit=3)])
        shown = self.remote.get(ids[0])
        self.assertEqual(ids[0], shown["id"])
        self.assertIn("raw", shown)
        with self.assertRaises(errors.NotFound):
            self.remote.get(ids[-1] + 1)
        with self.assertRaises(errors.Forbidden):
            list(self.client.dead_letters.list())

    def test_many_are_replayed_and_forgotten_a_hundred_at_a_time(self):
        ids = self.put(*(stored_letter(f"many-{n}") for n in range(150)),
                       self.bad(1))
        answers = list(self.remote.replay())
        self.assertEqual([100, 50], [one["replayed"] for one in answers])
        failed, = [one for answer in answers for one in answer["failed"]]
        self.assertEqual((ids[-1], "not_replayable"),
                         (failed["id"], failed["code"]))
        ids = self.put(*(self.bad(n) for n in range(2, 150)))
        self.assertEqual([100, 49], [one["purged"] for one in
                                     self.remote.purge(ids)])
        self.assertEqual([], self.letters.list())

    def test_filters_choose_some(self):
        self.put(self.bad(1, code="one"), self.bad(2, code="two"))
        self.assertEqual(1, len(list(self.remote.list(code="one"))))
        self.assertEqual([{"purged": 1, "after": None}],
                         list(self.remote.purge(code="one", stage=None)))
        self.assertEqual(["two"], [one.code for one in self.letters.list()])

    # -- the command line

    def test_they_are_listed_oldest_first(self):
        ids = self.put(*(self.bad(n, project_id=service.PROJECT)
                         for n in range(3)))
        rows = self.dead("list", "--long", "-f", "json").json
        self.assertEqual(ids, [row["ID"] for row in rows])
        self.assertEqual(service.PROJECT, rows[0]["Project ID"])
        self.assertEqual(3, len(self.dead(
            "list", "--project", service.PROJECT, "-f", "json").json))
        self.assertEqual([], self.dead("list", "--stage", "nothing", "-f",
                                       "json").json)
        done = self.dead("list", "--limit", "2", "-f", "csv")
        self.assertEqual(2, len(done.rows))
        self.assertIn("there are more", done.err)
        self.dead("list", cloud="member", code=4)

    def test_one_s_bytes_are_shown(self):
        number, = self.put(self.bad(1, raw=b"\x1b[2J\xff"))
        done = self.dead("show", f"{number}")
        self.assertNotIn("\x1b", done.out)
        self.assertEqual(number, self.dead("show", f"{number}", "-f",
                                           "json").json["id"])
        self.dead("show", f"{number + 1}", code=3)
        self.dead("show", "x", code=2)

    def test_what_cannot_be_replayed_is_told_and_stays(self):
        good, bad = self.put(stored_letter("good"), self.bad(1))
        done = self.dead("replay", f"{good}", f"{bad}", code=1)
        self.assertRegex(done.err, rf"\A{bad}: .*\n1 replayed\n\Z")
        self.assertEqual([bad], [one.id for one in self.letters.list()])

    def test_all_of_a_filter_are_forgotten(self):
        self.put(*(self.bad(n, code="one") for n in range(120)),
                 self.bad(999, code="two"))
        self.assertEqual("120 purged\n", self.dead(
            "purge", "--all", "--code", "one").err)
        self.assertEqual(["two"], [one.code for one in self.letters.list()])
        self.assertEqual("1 purged\n", self.dead("purge", "--all").err)

    def test_all_is_never_meant_by_saying_nothing(self):
        for arguments in ([], ["1", "--all"], ["1", "--code", "x"],
                          ["--code", "x"]):
            with self.subTest(arguments=arguments):
                for action in ("purge", "replay"):
                    done = self.dead(action, *arguments, code=2)
                    self.assertIn("give ids, or --all", done.err)
