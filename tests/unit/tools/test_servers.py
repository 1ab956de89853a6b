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

"""What the servers tool decides by itself, without any real server."""

import io
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr

ROOT = pathlib.Path(__file__).resolve().parents[3]
# The tool is no part of the installed packages: it runs before they are.
sys.path.insert(0, str(ROOT / "tools"))

from servers import Failed, Instance, Launch, Missing  # noqa: E402
from servers import NotReady, Server, checkouts, command  # noqa: E402
from servers import fleet, ports, processes, programs  # noqa: E402
from servers import sources, tasks  # noqa: E402


class Sleeper(Server):
    """A server that does nothing, and is ready at once."""

    name = "sleeper"
    port_names = ("client", "other")
    after = ("neighbour",)
    stop_seconds = 5.0

    def __init__(self, name="sleeper"):
        self.name = name

    def fetch(self, cache):
        pass

    def prepare(self, instance):
        pass

    def launches(self, instance):
        return [Launch(self.name, ["sleep", "600"])]

    def probe(self, instance):
        pass

    def describe(self, instance):
        return {"url": f"nothing://{instance.port}"}

    def defaults(self, peers):
        return {"peer": " ".join(peers)} if peers else {}


class InDirectory(unittest.TestCase):

    def setUp(self):
        super().setUp()
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.directory = pathlib.Path(holder.name)

    def instance(self, name, settings=None, **port_numbers):
        return Instance(name, self.directory / name, self.directory / "cache",
                        port_numbers, settings or {}, "hush")


class PortsTest(InDirectory):

    def test_a_port_in_use_is_not_chosen(self):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.assertFalse(ports.is_free(held.getsockname()[1]))

    def test_only_free_ports_that_are_not_taken_are_chosen(self):
        taken = set(ports.RANGE) - {20005, 20006, 20007}
        chosen = ports.choose(["client", "other"], taken,
                              free=lambda port: port != 20006)
        self.assertEqual({20005, 20007}, set(chosen.values()))
        self.assertEqual({"client", "other"}, set(chosen))

    def test_running_out_of_ports_is_told(self):
        with self.assertRaises(Failed):
            ports.choose(["client"], [], free=lambda port: False)

    def test_two_owners_never_share_a_port(self):
        book = self.directory / "ports.json"
        seen = set()
        for name in ("one", "two", "three"):
            owner = self.directory / name
            owner.mkdir()
            chosen = ports.reserve(book, owner, ["client", "other"])
            self.assertFalse(seen & set(chosen.values()))
            seen |= set(chosen.values())
        self.assertEqual(6, len(seen))

    def test_the_ports_of_an_owner_that_is_gone_are_given_free(self):
        book = self.directory / "ports.json"
        owner = self.directory / "one"
        owner.mkdir()
        chosen = ports.reserve(book, owner, ["client"])
        owner.rmdir()
        ports.reserve(book, self.directory, ["client"])
        if chosen != ports.reserve(book, self.directory, ["client"]):
            self.assertNotIn(str(chosen["client"]), book.read_text())


class ProcessesTest(InDirectory):

    def start(self):
        process = processes.start(Launch("sleep", ["sleep", "600"]),
                                  self.directory / "log", self.directory,
                                  "mark")
        self.addCleanup(processes.kill, process)
        return process

    def test_a_started_process_is_found_and_stopped(self):
        process = self.start()
        self.assertTrue(processes.alive(process))
        self.assertEqual([process.pid], processes.members(process))
        self.assertTrue(processes.stop(process, 5))
        self.assertFalse(processes.alive(process))

    def test_a_paused_process_is_stopped_too(self):
        process = self.start()
        processes.pause(process)
        self.assertTrue(processes.paused(process))
        self.assertTrue(processes.stop(process, 5))

    def test_the_children_of_a_leader_that_died_are_found(self):
        process = processes.start(
            Launch("shell", ["sh", "-c", "sleep 600 & echo; wait"]),
            self.directory / "log", self.directory, "mark")
        self.addCleanup(processes.kill, process)
        while len(processes.members(process)) < 2:
            pass
        subprocess.run(["kill", "-9", str(process.pid)], check=True)
        while processes.alive(process):
            pass
        self.assertEqual(1, len(processes.members(process)))
        processes.kill(process)
        self.assertEqual([], processes.members(process))

    def test_a_strangers_process_is_left_alone(self):
        stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        real = self.start()
        # The pid of a record that is old: in use again by somebody else.
        record = processes.Process("sleep", stranger.pid, real.started - 999,
                                   real.boot, real.mark)
        self.assertFalse(processes.alive(record))
        self.assertEqual([], processes.members(record))
        processes.stop(record, 1)
        processes.kill(record)
        processes.pause(record)
        self.assertIsNone(stranger.poll())

    def test_a_record_of_an_earlier_boot_means_nothing(self):
        real = self.start()
        record = processes.Process("sleep", real.pid, real.started,
                                   "another boot", real.mark)
        self.assertFalse(processes.alive(record))
        self.assertEqual([], processes.members(record))

    def test_variables_of_the_caller_do_not_reach_a_server(self):
        launch = Launch("sleep", ["sleep"], {"GIVEN": "yes"})
        environment = processes.environment(launch, self.directory, "mark")
        self.assertEqual("yes", environment["GIVEN"])
        self.assertEqual(str(self.directory), environment["HOME"])
        self.assertLessEqual(
            set(environment), {"HOME", "LANG", "PATH", "TZ", "JAVA_HOME",
                               "GIVEN", processes.MARK})


class FleetTest(InDirectory):

    def setUp(self):
        super().setUp()
        quiet = redirect_stderr(io.StringIO())
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        self.fleet = fleet.Fleet(
            {"neighbour": Sleeper("neighbour"), "sleeper": Sleeper()},
            self.directory / "run", self.directory / "cache")
        self.addCleanup(self.fleet.wipe, "neighbour")
        self.addCleanup(self.fleet.wipe, "sleeper")

    def up(self, name="sleeper", settings=None):
        self.fleet.begin(name, settings or {})
        self.fleet.await_ready(name)
        return self.fleet.describe(name)

    def test_up_twice_leaves_the_first_one_running(self):
        self.assertEqual(self.up(), self.up())

    def test_a_server_keeps_its_ports_while_it_is_down(self):
        first = self.up()
        self.fleet.down("sleeper")
        self.assertEqual("stopped", self.fleet.describe("sleeper")["state"])
        again = self.up()
        self.assertEqual(first["ports"], again["ports"])
        self.assertNotEqual(first["pid"], again["pid"])

    def test_a_killed_server_can_be_brought_up_again(self):
        first = self.up()
        self.fleet.kill("sleeper")
        self.assertEqual("stopped", self.fleet.describe("sleeper")["state"])
        self.assertEqual(first["port"], self.up()["port"])

    def test_a_paused_server_continues(self):
        self.up()
        self.fleet.pause("sleeper")
        self.assertEqual("paused", self.fleet.describe("sleeper")["state"])
        self.fleet.resume("sleeper")
        self.assertEqual("running", self.fleet.describe("sleeper")["state"])

    def test_up_continues_a_paused_server(self):
        first = self.up()
        self.fleet.pause("sleeper")
        self.assertEqual(first, self.up())

    def test_a_changed_setting_starts_the_server_again_and_is_kept(self):
        first = self.up()
        second = self.up(settings={"colour": "red"})
        self.assertNotEqual(first["pid"], second["pid"])
        self.fleet.down("sleeper")
        self.assertEqual({"colour": "red"}, self.up()["settings"])
        self.assertEqual({}, self.up(settings={"colour": ""})["settings"])

    def test_what_follows_from_a_peer_stays_when_the_peer_goes(self):
        self.up("neighbour")
        first = self.up()
        self.assertEqual({"peer": "neighbour"}, first["settings"])
        self.fleet.down("neighbour")
        self.assertEqual(first, self.up())

    def test_what_a_dead_server_left_behind_is_ended_before_a_start(self):
        server = Sleeper()
        server.launches = lambda instance: [
            Launch("sleeper", ["sh", "-c", "sleep 600 & wait"])]
        self.fleet = fleet.Fleet({"sleeper": server}, self.directory / "run",
                                 self.directory / "cache")
        pid = self.up()["pid"]
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        while not (child := children.read_text().strip()):
            pass
        subprocess.run(["kill", "-9", str(pid)], check=True)
        while self.fleet.describe("sleeper")["state"] == "running":
            pass
        self.assertEqual("broken", self.fleet.describe("sleeper")["state"])
        self.assertNotEqual(pid, self.up()["pid"])
        self.assertFalse(pathlib.Path(f"/proc/{child}/cwd").exists())

    def test_a_taken_port_is_an_error(self):
        port = self.up()["port"]
        self.fleet.down("sleeper")
        with socket.create_server(("127.0.0.1", port)):
            with self.assertRaisesRegex(Failed, f"{port} is taken"):
                self.up()

    def test_wiped_means_unknown(self):
        self.up()
        self.fleet.wipe("sleeper")
        self.assertEqual([], self.fleet.known())
        self.assertFalse((self.directory / "run/sleeper").exists())

    def test_a_server_is_not_started_without_what_it_needs(self):
        server = Sleeper()
        server.after, server.needs = (), ("neighbour",)
        self.fleet = fleet.Fleet(
            {"neighbour": Sleeper("neighbour"), "sleeper": server},
            self.directory / "run", self.directory / "cache")
        with self.assertRaisesRegex(Failed, "servers up neighbour"):
            self.up()
        self.up("neighbour")
        self.assertEqual({"peer": "neighbour"}, self.up()["settings"])

    def test_what_starts_no_process_needs_no_port(self):
        there = programs.Programs("sleeper", {}, {"shell": "/bin/sh"})
        self.fleet = fleet.Fleet({"sleeper": there, "neighbour": Sleeper()},
                                 self.directory / "run",
                                 self.directory / "cache")
        facts = self.up()
        self.assertIsNone(facts["port"])
        self.assertEqual("/bin/sh", facts["shell"])
        self.assertIn("file:///bin/sh", command.line_of("sleeper", facts))
        with self.assertRaises(NotReady):
            programs.Programs("gone", {}, {"x": "/no/such"}).probe(
                self.instance("gone"))

    def test_what_never_ran_cannot_be_paused(self):
        with self.assertRaisesRegex(Failed, "servers up sleeper"):
            self.fleet.pause("sleeper")


class SourcesTest(unittest.TestCase):

    def test_a_pom_holds_each_coordinate(self):
        text = sources.pom_of(["a:b:1", "c:d:2:zip"])
        self.assertIn("<version>1</version><type>jar</type>", text)
        self.assertIn("<version>2</version><type>zip</type>", text)

    def test_the_line_with_the_error_is_what_is_told(self):
        self.assertEqual("E: no such package", sources.telling_line(
            "Reading lists\nE: no such package\nE: more\nbye\n"))
        self.assertEqual("bye", sources.telling_line("hello\nbye\n"))


class TasksTest(unittest.TestCase):

    def test_a_task_that_fails_is_told_in_one_line(self):
        with self.assertRaisesRegex(Failed, "^it refused: no such thing$"):
            tasks.run("it", ["sh", "-c", "echo no such thing; exit 3"])
        with self.assertRaisesRegex(Failed, "it did not end"):
            tasks.run("it", ["sleep", "600"], seconds=0.1)
        with self.assertRaisesRegex(Failed, "it cannot be run"):
            tasks.run("it", ["/no/such/program"])

    def test_a_task_gets_its_input_and_variables(self):
        self.assertEqual("a b", tasks.run(
            "it", ["sh", "-c", 'printf "%s $B" $(cat)'], text="a",
            env={"B": "b"}))


class CheckoutsTest(InDirectory):

    def test_what_is_no_checkout_is_refused(self):
        with self.assertRaisesRegex(Failed, "no pyproject.toml"):
            checkouts.files(self.directory)

    def test_a_checkout_is_what_git_does_not_ignore(self):
        for name in ("setup.py", "kept.py", "left.pyc", ".gitignore"):
            (self.directory / name).write_text("*.pyc\n")
        self.assertIn(pathlib.Path("left.pyc"),
                      checkouts.files(self.directory))
        tasks.run("git", ["git", "-C", str(self.directory), "init", "-q"])
        self.assertEqual(
            [pathlib.Path(name)
             for name in (".gitignore", "kept.py", "setup.py")],
            checkouts.files(self.directory))

    def test_a_change_in_a_checkout_shows(self):
        source = self.directory / "setup.py"
        source.write_text("one")
        first = checkouts.digest([self.directory])
        self.assertEqual(first, checkouts.digest([self.directory]))
        source.write_text("two")
        self.assertNotEqual(first, checkouts.digest([self.directory]))


class CommandTest(unittest.TestCase):

    def refused(self, *arguments):
        told = io.StringIO()
        with redirect_stderr(told):
            with self.assertRaises(SystemExit) as ended:
                command.parser().parse_args(arguments)
        self.assertEqual(2, ended.exception.code)
        return told.getvalue()

    def test_an_unknown_name_is_refused_with_those_there_are(self):
        told = self.refused("up", "zookeeper")
        self.assertIn("no server 'zookeeper'", told)
        self.assertIn("rabbitmq", told)

    def test_directories_may_stand_before_or_after_the_command(self):
        for words in (["--state-dir", "/s", "up", "kafka"],
                      ["up", "kafka", "--state-dir", "/s"]):
            options = command.parser().parse_args(words)
            self.assertEqual("/s", options.state_dir)

    def test_settings_are_sorted_by_server(self):
        self.assertEqual(
            {"kafka": {"a.b": "c=d", "e": ""}},
            command.settings_of(["kafka:a.b=c=d", "kafka:e="], ["kafka"]))

    def test_a_setting_for_a_server_that_is_not_named_is_refused(self):
        for word in ("kafka:a=b", "mariadb:a", "nonsense"):
            with self.assertRaises(command.Misused):
                command.settings_of([word], ["mariadb"])

    def test_only_missing_parts_give_exit_code_three(self):
        self.assertEqual(0, command.exit_code([]))
        self.assertEqual(3, command.exit_code([Missing("no java")]))
        self.assertEqual(1, command.exit_code([Missing("no java"),
                                               Failed("died")]))

    def test_a_server_is_brought_up_after_what_it_needs(self):
        order = list(command.SERVERS)
        for name, server in command.SERVERS.items():
            for needed in (*server.needs, *server.after):
                self.assertLess(order.index(needed), order.index(name))

    def test_what_a_server_needs_is_brought_up_with_it(self):
        self.assertEqual(["mariadb", "keystone", "aodh"],
                         command.with_needs(["aodh"]))
        self.assertEqual(["kafka"], command.with_needs(["kafka"]))
