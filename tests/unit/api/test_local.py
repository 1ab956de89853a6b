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

"""Local tokens; S22, S3."""

import os
import stat
import tempfile
import types
import unittest

from monasca_events_api.identity import local
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import Misconfigured


class LocalIdentityTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.conf = types.SimpleNamespace(
            tokens_file=f"{folder.name}/state/tokens.json",
            clouds_file=f"{folder.name}/clouds.yaml")

    def identity(self):
        return local.LocalIdentity(self.conf)

    def call(self, identity, token, address="127.0.0.1"):
        statuses = []
        seen = {}
        app = identity.protect(lambda environ, start: seen.update(environ))
        app({"REMOTE_ADDR": address, "HTTP_X_AUTH_TOKEN": token},
            lambda status, headers: statuses.append(status))
        return seen or statuses[0]

    def test_the_file_is_made_once_and_for_its_owner_only(self):
        first = self.identity().accounts()
        mode = os.stat(self.conf.tokens_file)
        self.assertEqual(0o600, stat.S_IMODE(mode.st_mode))
        self.assertEqual(first, self.identity().accounts())
        self.assertEqual(["tokens.json"], os.listdir(
            os.path.dirname(self.conf.tokens_file)))

    def test_there_are_two_projects_a_service_and_an_administrator(self):
        found = {one.name: one for one in self.identity().accounts()}
        self.assertEqual(found["demo-member"].project_id,
                         found["demo-reader"].project_id)
        self.assertEqual(4, len({one.project_id for one in found.values()}))
        self.assertEqual(("service",), found["service"].roles)
        self.assertIn("admin", found["admin"].roles)
        for one in found.values():
            self.assertRegex(one.project_id, "^[0-9a-f]{32}$")
        self.assertEqual(6, len({one.token for one in found.values()}))

    def test_a_token_becomes_the_headers_of_auth_token(self):
        identity = self.identity()
        account = identity.accounts()[0]
        seen = self.call(identity, account.token)
        self.assertEqual(
            ("Confirmed", account.project_id, "member,reader"),
            tuple(seen["HTTP_X_" + name] for name in (
                "IDENTITY_STATUS", "PROJECT_ID", "ROLES")))

    def test_other_tokens_are_401(self):
        identity = self.identity()
        for token in ("", " ", "x", "\udcff",
                      identity.accounts()[0].token[:-1]):
            self.assertEqual("401 Unauthorized", self.call(identity, token))

    def test_a_token_from_elsewhere_is_forbidden(self):
        identity = self.identity()
        token = identity.accounts()[0].token
        for address in ("192.0.2.1", "::ffff:192.0.2.1", "nonsense"):
            with self.assertRaises(Forbidden):
                self.call(identity, token, address)
        for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", ""):
            self.assertIsInstance(self.call(identity, token, address), dict)

    def test_the_api_must_listen_on_loopback(self):
        identity = self.identity()
        for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
            with self.assertRaises(Misconfigured):
                identity.listening(host, 5656)
        for host in ("127.0.0.1", "::1", "localhost", "127.8.0.1"):
            identity.listening(host, 5656)

    def test_clouds_yaml_is_written_for_its_owner_only(self):
        identity = self.identity()
        identity.listening("127.0.0.1", 5656)
        mode = os.stat(self.conf.clouds_file)
        self.assertEqual(0o600, stat.S_IMODE(mode.st_mode))
        with open(self.conf.clouds_file, encoding="utf-8") as file:
            text = file.read()
        for one in identity.accounts():
            self.assertIn(one.token, text)
        self.assertIn('endpoint: "http://127.0.0.1:5656"', text)

    def test_an_edited_file_is_read_again(self):
        identity = self.identity()
        local.write(self.conf.tokens_file, [local.Account(
            "n", "new-token", "u", "a" * 32, "p", ("reader",))])
        self.assertIsInstance(self.call(identity, "new-token"), dict)

    def test_a_broken_file_keeps_the_old_tokens_and_shows_in_the_health(self):
        identity = self.identity()
        token = identity.accounts()[0].token
        with open(self.conf.tokens_file, "w", encoding="utf-8") as file:
            file.write("{")
        self.assertIsInstance(self.call(identity, token), dict)
        self.assertFalse(identity.health().ok)
        with self.assertRaises(Misconfigured):
            self.identity()
