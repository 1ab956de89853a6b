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


"""``monasca-events-standalone`` as a person starts it from a terminal."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import tempfile
import time
import unittest
import uuid

from tests.integration.daemons import children
from tests.integration.daemons import program
from tests.integration.daemons import wait_for
from tests.integration.sites import EmbeddedSite
from tests.integration.sites import free_port

#: Times that everything is killed at once; F24 asks for 50 in the long run.
KILLS = int(os.environ.get("MONASCA_EVENTS_TEST_STANDALONE_KILLS", "4"))

_SCRIPT = (pathlib.Path(__file__).resolve().parents[2]
           / "tools" / "standalone.sh")


def descendants(pid: int) -> list[int]:
    """Return every process below one."""
    found = children(pid)
    return found + [below for one in found for below in descendants(one)]


def runs(pid: int) -> bool:
    """Return whether a process runs; of one that ended nothing is left to
    read, also while nobody buried it."""
    try:
        return bool(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


class Standalone(EmbeddedSite):
    """The command in place of the daemons that it starts."""

    process: subprocess.Popen | None = None

    def start(self, *arguments: str) -> None:
        self.output = self.folder / "standalone.out"
        with open(self.output, "wb") as output:
            # A relative path, as a person would type it.
            self.process = subprocess.Popen(
                [program("monasca-events-standalone"), "--state-dir", "state",
                 "--port", str(self.port), *arguments], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT)
        wait_for("it says that it runs", self._runs)
        accounts = json.loads(self.layout.tokens.read_text())["accounts"]
        self._accounts = {one["name"]: one for one in accounts}
        self.projects = {
            name: self._accounts[account]["project_id"] for name, account in (
                ("A", "demo-member"), ("B", "alt-member"),
                ("operator", "admin"))}

    def _runs(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self.output.read_text())
        return "Ctrl-C ends it" in self.output.read_text()

    def interrupt(self) -> int:
        """Ctrl-C; return the exit status."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGINT)
        return process.wait(60)

    def kill(self) -> None:
        """SIGKILL the command and everything below it."""
        process, self.process = self.process, None
        pids = [process.pid, *descendants(process.pid)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()
        wait_for("the port is free", self.is_free)

    def is_free(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0

    def close(self) -> None:
        if self.process is not None:
            self.interrupt()
        super().close()

    def post(self) -> str:
        """Post an event; return its id once it is found."""
        word = "w" + uuid.uuid4().hex
        answer = self.call("POST", "/v1.0/events", self.token("A", "member"),
                           json={"events": [{"event_type": "test.event",
                                             "payload": {"text": word}}]})
        assert answer.status_code == 202, answer.text
        wait_for("the event is found", lambda: self.get(
            "/v1.0/events", q=word)["events"])
        return answer.json()["event_ids"][0]


class StandaloneCase(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.site = Standalone(self.folder)
        self.addCleanup(self.site.close)

    def run_it(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [program("monasca-events-standalone"), *arguments],
            cwd=self.folder, capture_output=True, text=True, timeout=300,
            check=False)

    def assert_one_line(self, pattern: str, *arguments: str) -> None:
        done = self.run_it(*arguments)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertRegex(done.stderr, rf"\Aerror: [^\n]*{pattern}[^\n]*\n\Z")
        self.assertEqual("", done.stdout)


class TestDemonstration(StandaloneCase):

    def test_events_of_two_projects_and_a_search_are_shown(self):
        # The longer time is for a machine that is busy.
        for seconds in ("15", "90"):
            done = self.run_it("--demo", "--demo-seconds", seconds,
                               "--state-dir", "state", "--port",
                               str(self.site.port))
            if done.returncode or (
                    "what there is: " in done.stdout and not done.stderr):
                break
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual("", done.stderr)
        for project in ("demo", "alt"):
            self.assertRegex(done.stdout, rf"(?m)^\d\d:\d\d:\d\d\.\d\d\d  "
                                          rf"{project} +\w+\.\w+")
        before, _, search = done.stdout.partition("A search: ")
        self.assertTrue(before and search, done.stdout)
        word, = re.findall("with the word “([^”]+)”", search)
        self.assertRegex(search, rf"(?m)^  20\d\d-\S+Z  \S+\.{word}$")
        self.assertRegex(search, r"and what there is: \S+ \d+")
        for path in (self.folder / "state").rglob("*"):
            with self.subTest(path=path):
                self.assertEqual(0, stat.S_IMODE(path.stat().st_mode) & 0o077)


class TestLife(StandaloneCase):

    def test_a_second_start_keeps_tokens_and_events(self):
        self.site.start()
        event_id = self.site.post()
        token = self.site.token("A", "member")
        self.assertEqual(0, self.site.interrupt())
        self.site.start()
        self.assertEqual(token, self.site.token("A", "member"))
        self.assertEqual("test.event", self.site.get(
            f"/v1.0/events/{event_id}")["event_type"])
        self.site.post()
        self.assertTrue((self.folder / "state" / "events.db").exists())

    def test_a_trigger_fires_and_what_it_says_is_an_event_too(self):
        # B30, B32: the engine runs with the others and hears of definitions.
        self.site.start()
        method = self.create("notification-methods", name="again",
                             type="event")
        trigger = self.create(
            "triggers", name="any test", kind="match",
            pattern={"event_type": ["test.event"]},
            notify={"fired": [method]})
        # A trigger holds for what comes after the engine has heard of it.
        wait_for("it fires", lambda: self.site.post() and self.site.get(
            f"/v1.0/triggers/{trigger}/firings")["firings"])
        derived, = wait_for("its event is found", lambda: self.site.get(
            "/v1.0/events", source="engine", limit=1)["events"])
        self.assertEqual(self.site.projects["A"], derived["project_id"])
        self.assertIn(trigger, json.dumps(derived))

    def test_a_back_test_is_done_beside_the_engine(self):
        # B34: what would have fired, and progress; nothing is found or sent.
        self.site.start()
        self.site.post()
        answer = self.site.call(
            "POST", "/v1.0/triggers/backtest?wait=10",
            self.site.token("A", "member"), json={"trigger": {
                "kind": "match", "pattern": {"event_type": ["test.event"]}}})
        # It takes a few tenths of a second, unless the machine is busy.
        self.assertIn(answer.status_code, (200, 202), answer.text)
        found = wait_for("it is finished", lambda: (
            one if (one := self.site.get(
                f"/v1.0/triggers/backtest/{answer.json()['id']}")
            )["status"] == "finished" else None))
        self.assertEqual(
            ("finished", 1, 1, 1, 1.0),
            (found["status"], found["firings_total"],
             *(found["progress"][name] for name in ("events", "of",
                                                    "share"))))
        event, = self.site.get("/v1.0/events")["events"]
        self.assertEqual([event["event_id"]],
                         found["firings"][0]["event_ids"])
        self.assertEqual([], self.site.get("/v1.0/firings")["firings"])

    def create(self, resource: str, **content) -> str:
        """Make a definition of project A; return its id."""
        answer = self.site.call("POST", f"/v1.0/{resource}",
                                self.site.token("A", "member"), json=content)
        self.assertEqual(201, answer.status_code, answer.text)
        return answer.json()["id"]

    def test_openstacksdk_finds_the_way_by_clouds_yaml(self):
        # D15, D18: no Keystone, yet every OpenStack client works.
        import openstack
        self.site.start()
        event_id = self.site.post()
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self.site.layout.clouds)
        self.addCleanup(os.environ.pop, "OS_CLIENT_CONFIG_FILE")
        for cloud, expected in (("demo-member", [event_id]),
                                ("demo-reader", [event_id]),
                                ("alt-member", [])):
            with self.subTest(cloud=cloud):
                connection = openstack.connect(cloud=cloud)
                self.addCleanup(connection.close)
                events = connection.session.get(
                    "/v1.0/events", endpoint_filter={
                        "service_type": "event", "interface": "public"})
                self.assertEqual(expected, [
                    one["event_id"] for one in events.json()["events"]])

    def test_all_ends_when_the_command_is_killed(self):
        self.site.start()
        process, self.site.process = self.site.process, None
        below = wait_for("every service has its processes", lambda: (
            len(found := descendants(process.pid)) >= 8 and found))
        process.kill()
        process.wait()

        wait_for("nothing of it runs", lambda: not any(map(runs, below)))
        wait_for("the port is free", self.site.is_free)
        self.site.start()

    def test_a_service_that_is_killed_comes_back(self):
        self.site.start()
        self.site.post()
        before = descendants(self.site.process.pid)
        for pid in children(self.site.process.pid):
            os.kill(pid, signal.SIGKILL)
        wait_for("it says so", lambda: self.site.output.read_text().count(
            "it is started again") >= 4)
        # Workers notice a little later that their master is gone, and the
        # API's goes on answering until then.
        wait_for("the old workers are gone", lambda: not any(
            map(runs, before)))
        self.site.await_api()
        self.site.post()
        self.assertEqual(0, self.site.interrupt())


class TestMistakes(StandaloneCase):

    def test_a_port_that_is_taken_is_one_line(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assert_one_line(f"port {port} .*--port", "--state-dir",
                                 "state", "--port", str(port))
        self.assertFalse((self.folder / "state").exists())

    def test_a_state_directory_that_cannot_be_is_one_line(self):
        (self.folder / "file").write_text("")
        port = str(free_port())
        for path in ("file", "file/below", "a,b"):
            with self.subTest(path=path):
                self.assert_one_line("--state-dir", "--state-dir", path,
                                     "--port", port)

    def test_a_state_directory_in_use_is_one_line(self):
        self.site.start()
        self.assert_one_line("in use", "--state-dir", "state", "--port",
                             str(free_port()))
        self.site.post()

    def test_a_tokens_file_that_is_wrong_is_one_line(self):
        for text, pattern in (('{"accounts": []}', "tokens.json"),
                              ("nonsense", "tokens.json")):
            with self.subTest(text=text):
                self.site.layout.prepare()
                self.site.layout.tokens.write_text(text)
                self.assert_one_line(pattern, "--state-dir", "state",
                                     "--port", str(self.site.port))

    def test_a_port_that_is_none_is_refused(self):
        for port in ("0", "65536", "-1", "x"):
            self.assertEqual(2, self.run_it("--port", port).returncode)

    def test_the_script_tells_its_usage_without_doing_anything(self):
        done = subprocess.run(["bash", str(_SCRIPT), "--help"], check=True,
                              capture_output=True, text=True, timeout=120)
        for part in ("tools/standalone.sh", "--no-demo", "--state-dir",
                     "--port"):
            self.assertIn(part, done.stdout)
        self.assertEqual("", done.stderr)


class TestCrash(StandaloneCase):

    def test_everything_is_killed_again_and_again_and_nothing_is_lost(self):
        # F24
        self.site.start()
        truth = self.folder / "crash.truth"
        process = self.site.generate(truth, 10 ** 6, "--seed", "24", "--rate",
                                     "200", wait=False)
        try:
            for number in range(KILLS):
                time.sleep(0.7 + 0.5 * (number % 3))
                self.site.kill()
                self.site.start()
        finally:
            process.terminate()
            process.wait(60)
        report = self.site.settle(truth)
        self.assertTrue(report.ok, report.text())
        self.assertGreater(report.stored, 100)
        self.assertEqual(0, self.site.interrupt())
        for path in (self.folder / "state").rglob("*.db"):
            with self.subTest(file=path.name):
                connection = sqlite3.connect(path)
                self.addCleanup(connection.close)
                self.assertEqual(("ok",), connection.execute(
                    "PRAGMA integrity_check").fetchone())
        logs = "".join(one.read_text() for one in
                       (self.folder / "state" / "log").glob("*.log"))
        self.assertNotIn("database is locked", logs)
