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

"""``openstack event …`` against the embedded start, as a person types it.

Everything is the real thing: the program from its package, the file of clouds
that the start writes, a terminal where one is told of. What is listed and
counted is compared with the truth file of the generator.
"""

import collections
import contextlib
import json
import os
import pathlib
import pty
import re
import subprocess
import tempfile
import unittest

from monasca_events_agent.traffic import truth as truth_file
from monasca_events_common.event import event_id
from monasca_events_common.event import format_time
from monasca_events_common.event import parse_time
from tests.integration.daemons import program
from tests.integration.daemons import wait_for
from tests.integration.sites import free_port
from tests.integration.test_standalone import Standalone

COUNT = 400

#: Seconds after which an instance's creation is late here.
WITHIN = 12


class CliTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.site = Standalone(cls.folder)
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
                "OS_CLIENT_CONFIG_FILE": str(self.site.layout.clouds),
                **others}

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
        return shown.decode().replace("\r\n", "\n")

    # -- against the truth

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
        found = {row["Type"]: row["Count"] for row in self.json(
            "type", "list", "--source", "notification")}
        self.assertEqual({name: expected[name] for name in found}, found)
        self.assertTrue(found)

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
        self.site.settle(self.truth)
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
            self.openstack("event", "post", "--type", "shop.order.paid",
                           "--resource", posted[-1], "--trait", "total=1000")
            return bool(self.json("firing", "list", "--trigger", "large"))
        wait_for("the trigger fires", fired)
        row = self.json("trigger", "firings", "large")[-1]
        self.assertIn(row["Key"]["resource_id"], posted)

        def delivered() -> bool:
            return self.json("firing", "show", row["ID"])["deliveries"][0][
                "status"] == "delivered"
        wait_for("it is delivered", delivered)
        self.assertTrue(self.json("list", "--type", "derived.told"))
        shown = self.json("firing", "show", row["ID"][:13])
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
                 "--count", "3", "-f", "json"], stdout=subprocess.PIPE,
                encoding="utf-8",
                env=self.environment("alt-reader")) as process:
            number = 0
            while process.poll() is None and number < 99:
                self.openstack("event", "post", "--type", "a.tail",
                               "--trait", f"n={number}", cloud="alt-member")
                number += 1
            process.terminate()
            shown = [json.loads(line) for line in process.stdout]
        self.assertEqual(0, process.returncode)
        numbers = [one["traits"]["n"] for one in shown]
        # Those of before it was there, and three that came.
        self.assertEqual([*range(len(numbers))], numbers)
        self.assertLessEqual(3, len(numbers))
        self.assertEqual({self.site.projects["B"]},
                         {one["project_id"] for one in shown})

    def test_what_is_dead_is_shown_to_operators(self):
        with open(self.site.layout.notifications, "ab") as file:
            file.write(b'{"no notification\x1b[2J\n')

        def dead() -> list:
            return self.json("dead-letter", "list", "--stage", "agent",
                             cloud="admin")
        wait_for("the letter is there", dead)
        row, = dead()
        shown = self.openstack("event", "dead-letter", "show", f"{row['ID']}",
                               cloud="admin").stdout
        self.assertIn('{"no notification\\u001b[2J', shown)
        self.openstack("event", "dead-letter", "list", code=4)
        done = self.openstack("event", "dead-letter", "purge", "--all",
                              cloud="admin")
        self.assertEqual("1 purged\n", done.stderr)
        self.assertEqual([], dead())

    # -- as a program

    def test_a_terminal_is_not_overrun(self):
        for cells in (80, 120):
            with self.subTest(cells=cells):
                shown = self.terminal(cells, "event", "list", "--limit", "5")
                table = [line for line in shown.splitlines()
                         if line[:1] in "+|"]
                self.assertEqual(9, len(table), shown)
                self.assertEqual({cells}, {cells, *(
                    max(cells, len(line)) for line in table)})
        shown = self.terminal(80, "event", "stats", "--since", "4d")
        self.assertRegex(shown, "(?m)^20[-0-9 :]+ +[0-9]+ +█+")

    def test_a_terminal_that_knows_ascii_only_is_spared(self):
        done = self.openstack("event", "stats", "--since", "4d",
                              PYTHONIOENCODING="ascii:strict",
                              PYTHONUTF8="0")
        self.assertRegex(done.stdout, r"(?m)^20[-0-9 :]+ +[0-9]+ +\?+$")

    def test_exit_codes_tell_programs_what_happened(self):
        for code, text, *arguments in (
                (1, "not a parameter", "list", "--filter", "colour=red"),
                (2, "is no time", "list", "--since", "yesterday"),
                (3, "there is no event", "show", "ffffffff"),
                (4, "another role", "list", "--all-projects")):
            done = self.openstack("event", *arguments, code=code)
            self.assertIn(text, done.stderr.splitlines()[-1])
            self.assertEqual("", done.stdout.strip())

    def test_a_service_that_is_not_there_is_named(self):
        port = free_port()
        path = self.folder / "nowhere.yaml"
        path.write_text(self.site.layout.clouds.read_text().replace(
            f":{self.site.port}", f":{port}"))
        done = self.openstack("event", "list", code=5,
                              OS_CLIENT_CONFIG_FILE=str(path))
        self.assertRegex(
            done.stderr, rf"(?s)\Aopenstack: .*127.0.0.1:{port}.*: Connection"
            r" refused; is the service up, and is this its address\?\n\Z")

    def test_the_end_of_a_pipe_is_no_error(self):
        with subprocess.Popen(
                [program("openstack"), "event", "list", "--limit", "0", "-f",
                 "value"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=self.environment("demo-member")) as process:
            self.assertTrue(process.stdout.readline())
            process.stdout.close()
            said = process.stderr.read().decode()
        self.assertNotIn("Traceback", said)

    def test_a_shell_completes_the_commands(self):
        done = self.openstack("complete")
        found = re.search(r"cmds_event='([^']*)'", done.stdout)
        self.assertLessEqual({"list", "post", "show", "stats", "type"},
                             set(found[1].split()))
        self.assertIn("--resource-type", re.search(
            r"cmds_event_list='([^']*)'", done.stdout)[1])
