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

"""``openstack event …`` against the embedded start, with all that needs one.

The file of clouds is the one that the start writes.
"""

import json
import pathlib
import re
import subprocess
import unittest

from monasca_events_api import app
from monasca_events_common import event
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from tests.integration import commands
from tests.integration import tails
from tests.integration.daemons import program
from tests.integration.daemons import wait_for
from tests.integration.sites import free_port
from tests.integration.sites import Site
from tests.integration.test_standalone import Standalone
from tests.unit.common.test_event import complete


class CliTest(commands.CommandTests, tails.TailTests, unittest.TestCase):

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        site = Standalone(folder)
        # A source of timelines that is not there.
        site.layout.prepare()
        site.layout.local_config.write_text(
            "[timeline]\nsources = events, logs, firings, gnocchi\n"
            "[timeline_gnocchi]\n"
            f"endpoint = http://127.0.0.1:{free_port()}\n")
        return site

    @classmethod
    def clouds(cls) -> pathlib.Path:
        return cls.site.layout.clouds

    def test_what_is_no_text_is_shown_as_such(self):
        def dead() -> list:
            return self.json("dead-letter", "list", "--stage", "agent",
                             "--code", "not_json", "--limit", "0",
                             cloud="admin")
        before = dead()
        with open(self.site.layout.notifications, "ab") as file:
            file.write(b'{"no notification\x1b[2J\n')

        def new() -> list:
            return [row for row in dead() if row not in before]
        row, = wait_for("the letter is there", new)
        shown = self.openstack("event", "dead-letter", "show", f"{row['ID']}",
                               cloud="admin").stdout
        self.assertIn('{"no notification\\u001b[2J', shown)
        done = self.openstack("event", "dead-letter", "purge",
                              f"{row['ID']}", cloud="admin")
        self.assertEqual("1 purged\n", done.stderr)
        self.assertEqual(before, dead())

    def test_letters_are_replayed_to_their_tenants(self):
        """F12: more than one request takes."""
        project_id = self.site.projects["B"]
        now = event.format_time(app.utc_now())
        made = [event.record(complete(
            event_id=event.event_id(project_id, f"late-{n}"),
            project_id=project_id, event_type="a.dead",
            timestamp=now, received_at=now, traits={"n": n}))
            for n in range(120)]
        letters = DeadLetters(
            f"sqlite:///{self.site.layout.root}/dead-letters.db")
        letters.put([DeadLetter(
            stage="persister", code="late", reason="a test",
            error="Rejected", position=f"late/{number}", raw=one.value,
            project_id=project_id, headers={
                name: value.decode("latin-1")
                for name, value in one.headers.items()})
            for number, one in enumerate(made)], now)
        letters.close()
        done = self.openstack("event", "dead-letter", "replay", "--all",
                              "--stage", "persister", "--code", "late",
                              cloud="admin")
        self.assertRegex(done.stderr,
                         r"\A(replaying: \d+\n)*120 replayed\n\Z")

        def found() -> list:
            return self.json("list", "--type", "a.dead", "--limit", "0",
                             cloud="alt-reader")
        rows = wait_for("they are stored", lambda: len(found()) == 120
                        and found())
        self.assertEqual(
            {event.event_id(project_id, f"late-{n}") for n in range(120)},
            {row["ID"] for row in rows})
        self.assertEqual([], self.json("dead-letter", "list", "--code",
                                       "late", cloud="admin"))
        self.openstack("event", "dead-letter", "replay", "--all", code=4)

    def test_a_source_that_is_not_there_is_named_below_a_timeline(self):
        """B38: and costs nothing of the rest."""
        self.post({"event_type": "a.noted", "resource_id": "noted"})
        wait_for("it is stored", lambda: self.site.get(
            "/v1.0/events", resource_id="noted")["events"])
        done = self.openstack("event", "timeline", "noted")
        self.assertRegex(done.stderr, r"\Agnocchi could not be asked: "
                         r"[^\n]*Gnocchi[^\n]*\n\Z")
        self.assertIn("a.noted", done.stdout)

    def test_a_transform_is_tried_made_changed_and_removed(self):
        """D17, B11"""
        def shown(*arguments):
            return self.json("transform", *arguments, cloud="alt-member")
        path = self.folder / "mask.yaml"
        path.write_text("pattern: {event_type: [a.masked]}\n"
                        "operations: [{mask: [payload.pin]}]\n")
        sample = self.folder / "masked.json"
        sample.write_text(json.dumps({"event_type": "a.masked",
                                      "payload": {"pin": "1234"}}))
        tried = shown("test", "--file", str(path), "--event-file",
                      str(sample))
        self.assertEqual({"pin": "***"}, tried["events"][0]["payload"])
        made = shown("create", "no pins", "--file", str(path), "--position",
                     "3")
        self.assertEqual([("no pins", 3, "enabled")], [
            (row["Name"], row["Position"], row["State"])
            for row in shown("list")])
        self.assertEqual(made["operations"],
                         shown("show", "no pins")["operations"])

        def stored(wanted: str) -> bool:
            # What came before the persister knew it is as it was.
            self.post({"event_type": "a.masked", "payload": {"pin": "1234"}},
                      "B")
            found = self.site.get("/v1.0/events", "B", event_type="a.masked",
                                  limit=1)["events"]
            return bool(found) and found[0]["payload"]["pin"] == wanted
        wait_for("what is stored is masked", lambda: stored("***"))
        self.openstack("event", "transform", "set", "no pins", "--disable",
                       cloud="alt-member")
        self.assertEqual(2, len(shown("versions", "no pins")))
        wait_for("it is masked no more", lambda: stored("1234"))
        self.openstack("event", "transform", "delete", "no pins", code=4,
                       cloud="alt-reader")
        self.openstack("event", "transform", "delete", "no pins",
                       cloud="alt-member")
        self.assertEqual([], shown("list"))
        # Another project's is none.
        self.openstack("event", "transform", "show", "no pins", code=3)

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
