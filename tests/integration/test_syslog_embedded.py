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

"""Syslog, from programs that speak it, to the events of a project (T11, M5).

util-linux's ``logger`` and Python's SysLogHandler send to an agent that is a
process; API, bus, persister and store are the embedded ones.
"""

import json
import logging
import logging.handlers
import pathlib
import socket
import ssl
import subprocess
import tempfile
import unittest

from tests.integration.authority import Authority
from tests.integration.daemons import wait_for
from tests.integration.sites import EmbeddedSite
from tests.integration.sites import free_port

SYSLOG = """
[agent]
sources = syslog
[syslog]
tcp = 127.0.0.1:{tcp}
udp = 127.0.0.1:{udp}
tls = 127.0.0.1:{tls}
tls_cert_file = {server.certificate}
tls_key_file = {server.key}
tls_client_ca_file = {authority.file}
trusted_project_key = project_id
"""

REQUEST = "req-11111111-2222-3333-4444-555555555555"


class TestSyslog(unittest.TestCase):
    """T11, M5, M6, F19"""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="monasca-events-")
        cls.addClassCleanup(folder.cleanup)
        home = pathlib.Path(folder.name)
        cls.authority = Authority(home)
        cls.tcp, cls.udp, cls.tls = (free_port() for _ in range(3))
        cls.site = EmbeddedSite(home, SYSLOG.format(
            tcp=cls.tcp, udp=cls.udp, tls=cls.tls, authority=cls.authority,
            server=cls.authority.sign("127.0.0.1")))
        cls.addClassCleanup(cls.site.close)
        cls.site.start()
        wait_for("the agent listens", cls.listens)

    @classmethod
    def listens(cls):
        for port in (cls.tcp, cls.tls):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                return False
        return True

    def events(self, project, count, **parameters):
        """Return so many events as soon as they are there."""
        found = []

        def there():
            found[:] = self.site.get("/v1.0/events", project,
                                     **parameters)["events"]
            return len(found) >= count
        wait_for(f"{count} events of {parameters}", there)
        self.assertEqual(count, len(found))
        return found

    def logger(self, *arguments):
        subprocess.run(["logger", "-n", "127.0.0.1", *arguments], check=True)

    def test_what_programs_say_becomes_their_projects_events(self):
        tenant = self.site.projects["A"]
        new = ("-T", "-P", str(self.tcp), "--rfc5424=notq", "-t", "shop")
        self.logger(*new, "-p", "local0.err", "--octet-count", "--sd-id",
                    "app@32473", "--sd-param", f'project_id="{tenant}"',
                    "--msgid", "ORDER", f"[{REQUEST}] the till\nis empty")
        self.logger(*new, "-p", "auth.warning", "--sd-id", "app@32473",
                    "--sd-param", f'project_id="{tenant}"',
                    "password=hunter2 was wrong")
        self.logger("-d", "-P", str(self.udp), "--rfc3164", "-t", "cron[7]",
                    "nobody's own words")

        one, two = self.events("A", 2, event_type="syslog.shop",
                               sort="timestamp:asc")
        self.assertEqual(
            ("syslog", "ERROR", REQUEST, "ORDER", "local0",
             f"[{REQUEST}] the till\nis empty"),
            (one["source"], one["priority"], one["request_id"],
             one["traits"]["msgid"], one["traits"]["facility"],
             one["payload"]["message"]))
        self.assertNotIn("hunter2", json.dumps(two))
        self.assertEqual(socket.gethostname().partition(".")[0],
                         one["resource_id"].partition(".")[0])
        # Its words are found, and its request has it among the log's lines.
        self.events("A", 1, q="till")
        lines = self.site.get("/v1.0/timeline", request_id=REQUEST)["logs"]
        self.assertEqual([one["event_id"]],
                         [line["event_id"] for line in lines])
        self.assertEqual([], self.site.get("/v1.0/events", "B")["events"])
        theirs, = self.events("operator", 1, event_type="syslog.cron")
        self.assertTrue(theirs["marks"]["tenant_unknown"])

    def test_pythons_own_handler(self):
        for port, kind in ((self.tcp, socket.SOCK_STREAM),
                           (self.udp, socket.SOCK_DGRAM)):
            handler = logging.handlers.SysLogHandler(
                ("127.0.0.1", port), socktype=kind)
            handler.ident = "app: "
            for number in range(3):
                handler.emit(logging.makeLogRecord({
                    "msg": f"number {number}", "levelname": "ERROR"}))
            handler.close()
        found = self.events("operator", 6, event_type="syslog.app")
        self.assertEqual(["number 0", "number 0", "number 1", "number 1",
                          "number 2", "number 2"],
                         sorted(one["payload"]["message"] for one in found))

    def test_over_tls_a_sender_shows_who_it_is(self):
        def send(text, pair=None):
            tls = ssl.create_default_context(cafile=self.authority.file)
            if pair:
                tls.load_cert_chain(pair.certificate, pair.key)
            with socket.create_connection(("127.0.0.1", self.tls)) as plain:
                with tls.wrap_socket(plain, server_hostname="127.0.0.1"
                                     ) as sender:
                    sender.sendall(b"<13>1 - h tls - - - " + text + b"\n")
                    sender.unwrap()

        with self.assertRaises(OSError):
            send(b"nobody")
        send(b"known", self.authority.sign("127.0.0.1"))
        found, = self.events("operator", 1, event_type="syslog.tls")
        self.assertEqual("known", found["payload"]["message"])

    def test_while_the_api_is_away_it_is_spooled(self):
        self.site.daemons.kill("api")
        self.logger("-T", "-P", str(self.tcp), "-t", "later", "kept")
        self.site.daemons.start("api")
        self.site.await_api()
        found, = self.events("operator", 1, event_type="syslog.later")
        self.assertEqual("kept", found["payload"]["message"])
