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

"""``openstack event …`` as a person types it, on whatever site there is.

Everything is the real thing: the program from its package, a file of clouds,
a terminal where one is told of. What is listed and counted is compared with
the truth file of the generator.
"""

import collections
import contextlib
import itertools
import json
import os
import pathlib
import pty
import re
import subprocess
import tempfile

import yaml

from monasca_events_agent.traffic import truth as truth_file
from monasca_events_common.event import event_id
from monasca_events_common.event import format_time
from monasca_events_common.event import parse_time
from tests.integration.daemons import program
from tests.integration.daemons import wait_for
from tests.integration.sites import Site

COUNT = 400

#: Seconds after which an instance's creation is late here.
WITHIN = 12


class CommandTests:
    """What the commands do on every site; mixed into a TestCase.

    The file of clouds has demo-member, demo-reader, alt-member, alt-reader
    and admin: demo is the project A, alt is B.
    """

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        raise NotImplementedError

    @classmethod
    def clouds(cls) -> pathlib.Path:
        """Return the file of clouds."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.site = cls.make_site(cls.folder)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()
        cls.truth = cls.folder / "truth"
        cls.site.generate(cls.truth, COUNT, "--span", "2d", "--seed", "7")
        cls.site.settle(cls.truth)

    def expected(self, project: str) -> dict[str, truth_file.Expected]:
        """Return event id → what was sent, of a project."""
        project_id = self.site.projects[project]
        return {event_id(project_id, one.message_id): one
                for one in truth_file.read(str(self.truth))
                if one.project_id == project_id and one.poison is None}

    def openstack(self, *arguments: str, code: int = 0,
                  cloud: str = "demo-member", stdin: str = "",
                  **environment: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [program("openstack"), *arguments], input=stdin, timeout=120,
            capture_output=True, encoding="utf-8", check=False,
            env=self.environment(cloud, **environment))
        self.assertEqual(code, done.returncode, (arguments, done.stderr))
        return done

    def environment(self, cloud: str, **others: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder),
                "LC_ALL": "C.UTF-8", "OS_CLOUD": cloud,
                "OS_CLIENT_CONFIG_FILE": str(self.clouds()),
                **others}

    def post(self, event: dict, project: str = "A") -> None:
        """Post an event quicker than the program does."""
        answer = self.site.call("POST", "/v1.0/events", self.site.token(
            project, "member"), json={"events": [event]})
        self.assertEqual(202, answer.status_code, answer.text)

    def json(self, *arguments: str, **options):
        return json.loads(self.openstack(
            "event", *arguments, "-f", "json", **options).stdout)

    def terminal(self, cells: int, *arguments: str) -> str:
        """Return what a terminal of so many cells was given."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
                [program("openstack"), *arguments], stdin=theirs,
                stdout=theirs, stderr=theirs, env=self.environment(
                    "demo-member", COLUMNS=str(cells))) as process:
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # when the other end closes
                while chunk := os.read(ours, 65536):
                    shown += chunk
        os.close(ours)
        self.assertEqual(0, process.returncode, shown)
        # A line that tells of waiting comes and goes.
        return re.sub("\r[^\n]*\x1b\\[K", "", shown.decode().replace(
            "\r\n", "\n"))

    def test_each_project_lists_what_was_sent_to_it(self):
        """D17"""
        for project, cloud in (("A", "demo-member"), ("B", "alt-reader")):
            with self.subTest(project=project):
                expected = {
                    name: (one.event_type, one.resource_id,
                           format_time(parse_time(one.timestamp)))
                    for name, one in self.expected(project).items()}
                self.assertLess(COUNT / 4, len(expected))
                rows = self.json("list", "--limit", "0", "--source",
                                 "notification", cloud=cloud)
                self.assertEqual(expected, {
                    row["ID"]: (row["Type"], row["Resource ID"], row["Time"])
                    for row in rows})
                times = [row["Time"] for row in rows]
                self.assertEqual(sorted(times, reverse=True), times)

    def test_types_are_counted_as_sent(self):
        expected = collections.Counter(
            one.event_type for one in self.expected("A").values())
        done = self.openstack("event", "type", "list", "--source",
                              "notification", "-f", "json")
        found = {row["Type"]: row["Count"] for row in json.loads(done.stdout)}
        # The most frequent ones, and it says so.
        self.assertEqual({name: expected[name] for name in found}, found)
        most = sorted(expected.values(), reverse=True)[:len(found)]
        self.assertEqual(most, sorted(found.values(), reverse=True))
        self.assertEqual(len(found) < len(expected), (
            f"the {len(found)} most frequent types" in done.stderr))
        prefixes = collections.Counter(
            name.partition(".")[0] + "." for name in expected)
        for prefix, _ in prefixes.most_common(2):
            with self.subTest(prefix=prefix):
                some = {name: count for name, count in expected.items()
                        if name.startswith(prefix)}
                self.assertEqual(some, {
                    row["Type"]: row["Count"] for row in self.json(
                        "type", "list", "--source", "notification",
                        "--type", f"{prefix}*")})

    def test_filters_find_what_they_say_and_nothing_else(self):
        """D17"""
        kind = "a.filtered"
        given = (({"domain_id": "d-1", "global_request_id": "req-g1"},
                  {"total": 10}),
                 ({"domain_id": "d-2", "global_request_id": "req-g2"},
                  {"total": 11}),
                 ({"domain_id": "d-1"}, {"total": 10.5}),
                 ({"request_id": "req-g1"}, {}))
        names = {}
        for number, (fields, traits) in enumerate(given):
            self.post({"event_type": kind, "event_id": f"f-{number}",
                       "traits": traits, **fields})
            names[event_id(self.site.projects["A"], f"f-{number}")] = \
                traits.get("total")
        wait_for("they are stored", lambda: len(self.site.get(
            "/v1.0/events", event_type=kind)["events"]) == 4)
        for options, expected in (
                (["--domain", "d-1"], [10, 10.5]),
                (["--global-request", "req-g1"], [10]),
                (["--trait", "total!=10"], [None, 10.5, 11]),
                (["--trait", "total>10", "--domain", "d-2"], [11])):
            with self.subTest(options=options):
                rows = self.json("list", "--type", kind, *options)
                self.assertCountEqual(expected, [
                    names[row["ID"]] for row in rows])

    def test_yaml_says_what_json_says(self):
        """D17"""
        query = ("list", "--source", "notification", "--limit", "20")
        rows = self.json(*query)
        said = self.openstack("event", *query, "-f", "yaml").stdout
        # Times are text as they are in JSON.
        self.assertEqual(rows, yaml.safe_load(said))
        shown = self.json("show", rows[0]["ID"])
        self.assertEqual(shown, yaml.safe_load(self.openstack(
            "event", "show", rows[0]["ID"], "-f", "yaml").stdout))

    def test_keystone_s_audit_is_marked_in_a_timeline(self):
        """B38"""
        login = next(one for one in self.expected("A").values()
                     if one.event_type == "identity.authenticate")
        found = self.json("timeline", login.resource_id)["events"]
        self.assertEqual({"audit"}, {
            one["kind"] for one in found
            if one["event_type"] == "identity.authenticate"})

    def test_the_histogram_adds_up(self):
        expected = self.expected("A").values()
        hours = collections.Counter(
            format_time(parse_time(one.timestamp))[:13] for one in expected)
        found = self.json("stats", "--interval", "1h", "--since", "4d",
                          "--source", "notification", "--by", "priority")
        self.assertEqual(hours, {
            row["Start"][:13]: row["Count"] for row in found})
        self.assertEqual(len(expected), sum(
            sum(row["Groups"].values()) for row in found))

    def test_a_resource_s_events_are_found(self):
        expected = self.expected("A")
        resources = collections.Counter(
            one.resource_id for one in expected.values() if one.resource_id)
        resource, count = resources.most_common(1)[0]
        rows = self.json("list", "--resource", resource, "--sort", "asc",
                         "--limit", "0")
        self.assertEqual(count, len(rows))
        self.assertEqual({name for name, one in expected.items()
                          if one.resource_id == resource},
                         {row["ID"] for row in rows})
        shown = self.json("show", rows[0]["ID"])
        self.assertEqual(rows[0]["Type"], shown["event_type"])

    def test_an_instance_s_timeline_has_what_it_went_through(self):
        """B38"""
        pairs = [one for one in truth_file.pairs(
            truth_file.read(str(self.truth)))
            if one.project_id == self.site.projects["A"]]
        instance = next(one.resource_id for one in pairs
                        if one.operation == "compute.instance.create"
                        and one.outcome == "end")
        expected = {
            (one.operation, event_id(one.project_id, one.start_message_id)):
            one.duration for one in pairs if one.resource_id == instance
            and one.outcome != "never"}
        found = {(one["name"], one["event_ids"][0]): one["seconds"]
                 for one in self.json("timeline", instance)["spans"]}
        for key, seconds in expected.items():
            self.assertAlmostEqual(seconds, found[key], 2)
        shown = self.terminal(100, "event", "timeline", instance)
        self.assertRegex(shown, "(?m)compute.instance.create +━")

    def test_what_was_posted_is_shown(self):
        self.openstack("event", "post", "-", stdin="\n".join(
            json.dumps({"event_type": "shop.order.placed",
                        "event_id": f"order-{n}", "resource_id": "4711",
                        "traits": {"total": n}}) for n in range(1200)))
        wait_for("all are stored", lambda: sum(
            one["count"] for one in self.site.get(
                "/v1.0/events/statistics", resource_id="4711")["buckets"]
        ) == 1200)
        rows = self.json("list", "--resource", "4711", "--limit", "0")
        self.assertEqual(1200, len({row["ID"] for row in rows}))
        traits = self.json("trait", "list", "--type", "shop.order.placed")
        self.assertEqual([{"Name": "total", "Type": "integer"}], traits)
        self.assertEqual([], self.json("list", "--resource", "4711",
                                       cloud="alt-member"))

    def test_a_back_test_finds_what_was_late(self):
        pairs = [one for one in truth_file.pairs(
            truth_file.read(str(self.truth)))
            if one.operation == "compute.instance.create"
            and one.project_id == self.site.projects["A"]]
        late = [one for one in pairs
                if one.duration is None or one.duration > WITHIN]
        came = [one for one in late if one.outcome == "end"]
        self.assertTrue(0 < len(late) < len(pairs), pairs)
        found = self.json("trigger", "backtest", "--template",
                          "instance-create", "--within", f"{WITHIN}s",
                          "--since", "4d")
        self.assertEqual({"missed": len(late), "recovered": len(came)},
                         found["by_outcome"])
        self.assertEqual(
            {one.resource_id for one in late},
            {one["key"]["resource_id"] for one in found["firings"]})

    def test_a_trigger_fires_and_says_so(self):
        """D17"""
        self.json("notification-method", "create", "told", "--type", "event",
                  "--setting", "event_type=derived.told")
        self.openstack("event", "trigger", "create", "large", "--type",
                       "shop.order.paid", "--trait", "total>=1000",
                       "--group-by", "resource_id", "--notify", "told")
        posted: list[str] = []

        def fired() -> bool:
            # What was posted before the engine knew the trigger is nothing.
            posted.append(f"order-{len(posted)}")
            self.post({"event_type": "shop.order.paid",
                       "resource_id": posted[-1], "traits": {"total": 1000}})
            return bool(self.site.get("/v1.0/firings")["firings"])
        wait_for("the trigger fires", fired, every=0.3)
        row = self.json("trigger", "firings", "large")[-1]
        self.assertIn(row["Key"]["resource_id"], posted)

        def delivered() -> bool:
            # As an event of its own, which is then stored.
            return bool(self.site.get(
                "/v1.0/events", event_type="derived.told")["events"])
        wait_for("it is delivered", delivered)
        self.assertTrue(self.json("list", "--type", "derived.told"))

        # Which is noted a little after its event was published.
        def noted() -> dict | None:
            one = self.json("firing", "show", row["ID"][:13])
            return one if [delivery["status"] for delivery
                           in one["deliveries"]] == ["delivered"] else None
        shown = wait_for("it is noted", noted)
        why = self.json("trigger", "explain", "large",
                        shown["event_ids"][0])
        self.assertTrue(why["fired"])
        self.openstack("event", "notification-method", "delete", "told",
                       code=1)
        self.openstack("event", "trigger", "delete", "large")
        self.openstack("event", "notification-method", "delete", "told")

    def test_events_are_shown_as_they_come(self):
        with subprocess.Popen(
                [program("openstack"), "event", "tail", "--type", "a.tail",
                 "--lines", "99", "--count", "3", "-f", "json"],
                stdout=subprocess.PIPE, encoding="utf-8",
                env=self.environment("alt-reader")) as process:
            count = itertools.count()

            def ended() -> bool:
                self.post({"event_type": "a.tail",
                           "traits": {"n": next(count)}}, "B")
                return process.poll() is not None
            wait_for("three are shown", ended, every=0.3)
            shown = [json.loads(line) for line in process.stdout]
        self.assertEqual(0, process.returncode)
        numbers = [one["traits"]["n"] for one in shown]
        # Those of before it was there, and three that came.
        self.assertEqual([*range(len(numbers))], numbers)
        self.assertLessEqual(3, len(numbers))
        self.assertEqual({self.site.projects["B"]},
                         {one["project_id"] for one in shown})

    def test_what_is_dead_is_listed_with_what_is_wrong(self):
        """F12, D17"""
        truth = self.folder / "poison"
        # The operator's, so that nobody else's events are more for it.
        self.site.generate(truth, 60, "--poison", "0.5", "--seed", "8",
                           projects=("operator",))
        self.site.settle(truth)
        expected = collections.Counter(
            one.poison["code"] for one in truth_file.read(str(truth))
            if one.poison and one.poison["code"])
        self.assertGreater(len(expected), 1)
        rows = self.json("dead-letter", "list", "--limit", "0",
                         cloud="admin")
        found = collections.Counter(row["Code"] for row in rows)
        self.assertEqual(expected, expected & found)
        code = next(iter(expected))
        self.assertEqual(
            [row for row in rows if row["Code"] == code],
            self.json("dead-letter", "list", "--code", code, "--limit", "0",
                      cloud="admin"))
        shown = self.json("dead-letter", "show", str(rows[0]["ID"]),
                          cloud="admin")
        self.assertEqual(rows[0]["Code"], shown["code"])
        self.assertTrue(shown["raw"])
        self.openstack("event", "dead-letter", "list", code=4)
