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

"""The e-mail action against SMTP servers on loopback."""

import email
from email import policy
import logging
import pathlib
import socket
import tempfile
import unittest

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from oslo_config import cfg

from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine.actions.email import Email
from monasca_events_engine.actions.email import text
from tests.integration.authority import Authority
from tests.unit.engine.outgoing import delivery
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import parts

HOST = "127.0.0.1"


class Mailbox:
    """Takes mail, or answers as a test says."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, list[str], bytes]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.at_rcpt = self.at_data = "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.at_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_rcpt

    async def handle_DATA(self, server, session, envelope):
        if self.at_data.startswith("250"):
            self.letters.append((envelope.mail_from, envelope.rcpt_tos,
                                 envelope.content))
        return self.at_data

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right")



class EmailCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.authority = Authority(pathlib.Path(folder.name))
        cls.pair = cls.authority.sign(HOST)
        # What the server says of clients that refuse it.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)

    def server(self, tls: str = "starttls", pair=None, auth: bool = False
               ) -> Mailbox:
        box = Mailbox()
        context = None if tls == "none" else self.authority.server(
            pair or self.pair)
        with socket.create_server((HOST, 0)) as free:
            box.port = free.getsockname()[1]
        options = {"hostname": HOST, "port": box.port}
        if tls == "implicit":
            options["ssl_context"] = context
        elif tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if auth:
            options |= {"authenticator": box.authenticate,
                        "auth_required": True,
                        "auth_require_tls": tls == "starttls"}
        running = Controller(box, **options)
        running.start()
        self.addCleanup(running.stop)
        return box

    def action(self, box: Mailbox | None = None, **values) -> Email:
        conf = cfg.ConfigOpts()
        conf.register_opts(Email.OPTS, group=Email.GROUP)
        conf([], project="test", default_config_files=[],
             default_config_dirs=[])
        for name, value in {
                "host": HOST, "port": box.port if box else None,
                "ca_file": str(self.authority.file), "timeout": 5.0,
                "from_address": "events@cloud.example", **values}.items():
            conf.set_override(name, value, group=Email.GROUP)
        return Email(conf.email, parts())

    def send(self, action: Email, content=None, address="ops@example.org",
             **settings):
        return action.execute(delivery(content, method={
            "address": address, "settings": settings}))

    def letter(self, box: Mailbox):
        (_, _, content), = box.letters
        return email.message_from_bytes(content, policy=policy.SMTP)


class TestLetter(EmailCase):

    def test_a_firing_arrives_as_a_plain_text(self):
        box = self.server()
        found = self.send(self.action(box), subject_prefix="[events] ")
        (sender, receivers, _), = box.letters
        self.assertEqual(("events@cloud.example", ["ops@example.org"]),
                         (sender, receivers))
        letter = self.letter(box)
        self.assertEqual("[events] HIGH: vm gone fired", letter["Subject"])
        self.assertEqual("ops@example.org", letter["To"])
        self.assertEqual("events@cloud.example", letter["From"])
        self.assertEqual("auto-generated", letter["Auto-Submitted"])
        self.assertEqual("text/plain", letter.get_content_type())
        body = letter.get_content()
        for line in ("an instance was deleted", "resource_id: vm-1",
                     "Value: 3", "Severity: HIGH"):
            self.assertIn(line, body.splitlines())
        self.assertEqual(found["message_id"], letter["Message-ID"])

    def test_a_repeat_has_the_same_message_id(self):
        box = self.server()
        action = self.action(box)
        content = firing()
        for _ in range(2):
            self.send(action, content)
        ids = {email.message_from_bytes(one)["Message-ID"]
               for _, _, one in box.letters}
        self.assertEqual(
            {f"<{delivery().delivery_id}@cloud.example>"}, ids)

    def test_nothing_of_a_firing_or_a_method_becomes_a_header(self):
        """S8, S15"""
        evil = "x\r\nBcc: victim@example.org\r\n\r\n<b>y\u2028\x1b[31m"
        box = self.server()
        self.send(self.action(box), firing(
            trigger_name=evil, reason=evil, severity=evil, outcome=evil,
            key={evil: evil}, value=evil, values={evil: evil},
            trigger_id=evil, event_ids=[evil]), subject_prefix=evil)
        letter = self.letter(box)
        self.assertNotIn("Bcc", letter)
        self.assertEqual(["ops@example.org"], box.letters[0][1])
        self.assertTrue(str(letter["Subject"]).isprintable())
        for line in letter.get_content().splitlines():
            self.assertTrue(line.isprintable(), line)

    def test_an_address_that_is_more_than_one_is_refused(self):
        box = self.server()
        for address in ("", "a", "a@b.org\r\nBcc: c@d.org", "a@b.org,c@d.org",
                        "a@b.org c@d.org", "<a@b.org>", "a@b.org\x00",
                        "a@b.org>\r\nRCPT TO:<c@d.org"):
            with self.subTest(address=address):
                with self.assertRaises(Rejected):
                    self.send(self.action(box), address=address)
        self.assertEqual([], box.letters)

    def test_long_values_are_cut(self):
        box = self.server()
        self.send(self.action(box), firing(reason="r" * 100_000,
                                           trigger_name="n" * 5000))
        letter = self.letter(box)
        self.assertLess(len(letter["Subject"]), 250)
        self.assertLess(len(letter.get_content()), 5000)

    def test_mail_goes_to_the_allowed_domains_only(self):
        box = self.server()
        action = self.action(box, allowed_domains=["example.org"])
        with self.assertRaises(Rejected):
            self.send(action, address="a@other.example")
        self.send(action, address="a@EXAMPLE.org")
        self.assertEqual(1, len(box.letters))

    def test_a_text_needs_no_value(self):
        found = text(firing(value=None, event_ids=[], event=None, key={}))
        self.assertNotIn("Value", found)


class TestServer(EmailCase):

    def test_each_way_to_encrypt_works(self):
        for tls in ("starttls", "implicit", "none"):
            with self.subTest(tls=tls):
                box = self.server(tls)
                self.send(self.action(box, tls=tls))
                self.assertEqual(1, len(box.letters))

    def test_a_certificate_that_is_not_the_servers_is_refused(self):
        """S18"""
        for tls in ("starttls", "implicit"):
            box = self.server(tls, self.authority.sign("mail.example.org"))
            with self.assertRaises(Unavailable):
                self.send(self.action(box, tls=tls))
            self.assertEqual([], box.letters)

    def test_a_server_without_starttls_gets_no_letter(self):
        box = self.server("none")
        with self.assertRaises(Unavailable):
            self.send(self.action(box, tls="starttls"))
        self.assertEqual([], box.letters)

    def test_it_logs_in_where_a_user_is_named(self):
        box = self.server(auth=True)
        self.send(self.action(box, username="me", password="right"))
        self.assertEqual([(b"me", b"right")], box.logins)
        self.assertEqual(1, len(box.letters))

    def test_a_wrong_password_is_the_operators_to_put_right(self):
        box = self.server(auth=True)
        with self.assertRaises(Unavailable) as caught:
            self.send(self.action(box, username="me", password="wrong"))
        self.assertNotIn("wrong", str(caught.exception))

    def test_what_the_server_says_decides(self):
        """RFC 5321: 4xx comes again, 5xx never."""
        for where in ("at_rcpt", "at_data"):
            for answer, error in (("451 later", Unavailable),
                                  ("550 no such user", Rejected)):
                with self.subTest(where=where, answer=answer):
                    box = self.server()
                    setattr(box, where, answer)
                    with self.assertRaises(error) as caught:
                        self.send(self.action(box))
                    self.assertIn(answer[:3], str(caught.exception))

    def test_a_server_that_is_away_is_tried_again(self):
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
        with self.assertRaises(Unavailable):
            self.send(self.action(port=port))

    def test_a_password_without_encryption_stops_the_start(self):
        with self.assertRaisesRegex(Misconfigured, "would be readable"):
            self.action(tls="none", username="me", password="x")

    def test_a_sender_or_file_that_is_none_stops_the_start(self):
        for values in ({"from_address": "a@b\r\nX: y"},
                       {"from_address": "nobody <"},
                       {"ca_file": "/nonexistent"}):
            with self.assertRaises(Misconfigured):
                self.action(**values)
