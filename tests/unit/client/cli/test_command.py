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

"""What all commands share: errors with advice, exit codes, help."""

from importlib import metadata
import pathlib
import shlex
import threading
import unittest

from monasca_events_client import errors
from monasca_events_client.cli import advice
from tests.functional import service
from tests.unit.client.cli.shell import ShellTest
from tests.unit.client.cli.shell import run
from tests.unit.client.site import refuse


class CommandTest(ShellTest):

    def test_each_kind_of_trouble_has_its_exit_code(self):
        for code, arguments, cloud in (
                (0, ("list",), "member"),
                (1, ("list", "--filter", "colour=red"), "member"),
                (2, ("list", "--since", "yesterday"), "member"),
                (2, ("list", "--colour", "red"), "member"),
                (2, ("list", "--limit", "-1"), "member"),
                (2, ("list", "--limit", "many"), "member"),
                (2, ("list", "--type", "a*b"), "member"),
                (2, ("list", "--trait", "a b"), "member"),
                (2, ("list", "--filter", "colour"), "member"),
                (2, ("list", "--since", "999999w"), "member"),
                (2, ("list", "--project", "p", "--all-projects"), "member"),
                (3, ("show", "no"), "member"),
                (4, ("list", "--all-projects"), "member"),
                (4, ("list",), "no_role")):
            with self.subTest(arguments=arguments):
                done = self.event(*arguments, code=code, cloud=cloud)
                self.assertEqual(code == 0, not done.err, done.err)
                self.assertEqual("", done.out.strip())
                self.assertNotIn("Traceback", done.err)

    def test_who_waits_for_an_answer_is_told_so(self):
        """D17: on a terminal, from two seconds on."""
        def slow(application, environ, start_response):
            threading.Event().wait(3.5)
            return application(environ, start_response)
        self.site.expect(slow)
        done = self.event("type", "list", cells=80)
        self.assertRegex(done.err, r"\rwaiting for the answer: \d+ s")
        self.assertTrue(done.err.endswith("\r\x1b[K"), done.err)
        self.assertNotIn("waiting", done.out)

    def test_what_is_wrong_is_the_last_line(self):
        done = self.event("list", "--since", "yesterday", code=2)
        self.assertIn("--since: 'yesterday' is no time; expected 1h or 2d",
                      done.err.splitlines()[-1])

    def test_a_service_that_is_busy_for_long_is_an_error_for_later(self):
        self.site.expect(*[refuse("503 Service Unavailable", b"", (
            "Retry-After", "60"))] * 9)
        done = self.event("list", code=5)
        self.assertIn("try again later, in 60 s", done.err)

    def test_an_internal_error_is_for_the_operator(self):
        self.site.expect(refuse("500 X", b"", ("x-openstack-request-id",
                                               "req-17")))
        done = self.event("list", code=1)
        self.assertIn("500 Internal Server Error", done.err)
        self.assertIn("(req-17)", done.err)

    def test_a_wrong_address_is_told(self):
        self.site.expect(refuse("200 OK", b"<html>"))
        done = self.event("list", code=1)
        self.assertIn(f"is {self.site.url} the address of the event service?",
                      done.err)

    def test_debugging_shows_where(self):
        done = run(self.clouds, "--debug", "event", "show", "no")
        self.assertEqual(1, done.code)
        self.assertIn("Traceback", done.err)

    def test_a_token_is_not_shown_by_debugging(self):
        """S7"""
        done = run(self.clouds, "--debug", "event", "list")
        self.assertIn("GET", done.err)
        self.assertNotIn(service.ACCOUNTS["MEMBER"].token,
                         done.out + done.err)

    def test_another_address_may_be_configured(self):
        text = pathlib.Path(self.clouds).read_text().replace(
            self.site.url, "http://127.0.0.1:1").replace(
            "    auth_type", f"    event_endpoint_override: {self.site.url}"
            "\n    auth_type")
        done = run(self.file("other.yaml", text), "event", "list")
        self.assertEqual((0, ""), (done.code, done.err))


class HelpTest(ShellTest):

    def setUp(self):
        super().setUp()
        self.commands = {
            one.name.replace("_", " "): one.load()
            for one in metadata.entry_points(group="openstack.event.v1")}

    def test_every_command_helps_with_examples(self):
        self.assertIn("event list", self.commands)
        for name in self.commands:
            with self.subTest(command=name):
                done = run(self.clouds, *name.split(), "--help")
                self.assertEqual((0, ""), (done.code, done.err))
                self.assertRegex(done.out, rf"\Ausage: .* {name}\s")
                examples = done.out.partition("\nExamples:\n")[2]
                self.assertIn(f"  openstack {name}", examples)

    def test_every_example_is_understood(self):
        for name, command in self.commands.items():
            for example in command.examples:
                with self.subTest(example=example):
                    words = shlex.split(example.partition(" | ")[0].replace(
                        "\\\n", ""))
                    for at, word in enumerate(words):
                        if word in ("<", ">"):
                            del words[at:]
                            break
                    noun = name.split()[1:]
                    self.assertEqual(noun, words[:len(noun)])
                    parser = command(None, None).get_parser(name)
                    parser.parse_args(words[len(noun):])


class AdviceTest(unittest.TestCase):

    def test_what_to_do_is_in_the_same_line(self):
        for error, text in (
                (errors.NotFound("there is\nnone", status=404),
                 "there is none"),
                (errors.BadRequest("wrong", status=400, where="trigger.kind"),
                 "wrong (at trigger.kind)"),
                (errors.BadRequest("trigger.kind is wrong", status=400,
                                   where="trigger.kind"),
                 "trigger.kind is wrong"),
                (errors.Conflict("it is in use; force=true", status=409,
                                 code="in_use"),
                 "it is in use; --force takes it out of them"),
                (errors.ServiceUnavailable("full", status=503),
                 "full; try again later"),
                (errors.ServerError("500", status=500, request_id="req-1"),
                 "500; give the operator the request id (req-1)"),
                (ValueError("a\nb"), "a b"),
                (FileNotFoundError(2, "No such file or directory", "x"),
                 "[Errno 2] No such file or directory: 'x'")):
            with self.subTest(error=error):
                self.assertEqual(text, advice.sentence(error))
