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

"""The poster over TLS, with a certificate authority made here (B12, B17)."""

import datetime
import logging
import pathlib
import tempfile
import threading
import unittest

from oslo_config import cfg
import orjson

from monasca_events_agent import endpoints
from monasca_events_agent import poster
from monasca_events_agent import spool
from monasca_events_agent.endpoints import Endpoints
from monasca_events_common import credentials
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from tests.integration.authority import Authority
from tests.integration.daemons import wait_for
from tests.unit.agent.sink import options
from tests.unit.agent.sink import Sink

HOST = "127.0.0.1"


class _TlsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory(prefix="monasca-events-")
        cls.addClassCleanup(home.cleanup)
        cls.home = pathlib.Path(home.name)
        cls.authority = Authority(cls.home)
        cls.good = cls.authority.sign(HOST)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="monasca-events-")
        self.addCleanup(folder.cleanup)
        self.spool = spool.Spool(options(
            "spool", spool.OPTS, path=f"{folder.name}/s/spool.db"))
        self.addCleanup(self.spool.close)
        self.letters = DeadLetters(f"sqlite:///{folder.name}/dead.db")
        self.addCleanup(self.letters.close)

    def sink(self, pair=None, **wants):
        sink = Sink(tls=self.authority.server(pair or self.good, **wants))
        self.addCleanup(sink.close)
        return sink

    def session(self, url, **settings):
        """Return the session of an agent with ``[api_auth]`` as given."""
        path = self.home / f"{self.id()}.conf"
        settings = {"auth_type": "admin_token", "endpoint": url,
                    "token": "secret", **settings}
        path.write_text("[api_auth]\n" + "".join(
            f"{name} = {value}\n" for name, value in settings.items()))
        conf = cfg.ConfigOpts()
        conf(["--config-file", str(path)], project="test")
        return endpoints.make_session(conf)

    def poster(self, url, **settings):
        conf = options("poster", poster.OPTS, endpoints=[url],
                       backoff_base=0.01, backoff_max=0.02, max_wait=0.01)
        return poster.Poster(
            conf, self.spool, Endpoints(conf, self.session(url, **settings)),
            self.letters)

    def fill(self):
        self.spool.append([orjson.dumps(
            {"event_id": f"id-{number}", "project_id": "p",
             "event_type": "a.b"}) for number in range(3)])

    def assert_posts(self, sink, **settings):
        self.fill()
        self.assertEqual(3, self.poster(sink.url, **settings).step())
        self.assertEqual(["id-0", "id-1", "id-2"], sink.accepted)
        self.assertEqual(0, self.spool.depth().rows)

    def assert_holds(self, sink, *words, **settings):
        """The poster as it runs: it warns once, and keeps every event."""
        self.fill()
        made = self.poster(sink.url, **settings)
        stop = threading.Event()
        thread = threading.Thread(target=made.run, args=(stop,))
        with self.assertLogs("monasca_events_agent", logging.WARNING) as logs:
            thread.start()
            try:
                wait_for("the poster warns", lambda: logs.output)
            finally:
                stop.set()
                thread.join(60)
        self.assertFalse(thread.is_alive())
        warning, = [one.getMessage() for one in logs.records]
        for word in ("events wait in the spool", sink.url, *words):
            self.assertIn(word, warning)
        self.assertEqual([], sink.requests)
        self.assertEqual(3, self.spool.depth().rows)
        self.assertEqual([], self.letters.list())


class TestServersCertificate(_TlsTest):
    """S18: who the API is."""

    def test_events_go_to_an_api_that_the_ca_file_vouches_for(self):
        """M15"""
        self.assert_posts(self.sink(), cafile=self.authority.file)

    def test_without_the_ca_file_nothing_is_posted(self):
        self.assert_holds(self.sink(), "certificate verify failed")

    def test_another_authority_vouches_for_nobody(self):
        other = Authority(self.home, "other authority")
        self.assert_holds(self.sink(), "certificate verify failed",
                          cafile=other.file)

    def test_a_certificate_of_another_host_is_refused(self):
        self.assert_holds(
            self.sink(self.authority.sign("api.example.org")),
            "certificate verify failed", f"not valid for '{HOST}'",
            cafile=self.authority.file)

    def test_an_expired_certificate_is_refused(self):
        expired = self.authority.sign(HOST, ends_in=-datetime.timedelta(
            hours=1))
        self.assert_holds(self.sink(expired), "certificate verify failed",
                          "certificate has expired",
                          cafile=self.authority.file)

    def test_a_certificate_signed_by_itself_is_refused(self):
        alone = self.authority.sign(HOST, by_itself=True)
        self.assert_holds(self.sink(alone), "certificate verify failed",
                          "self-signed certificate",
                          cafile=self.authority.file)

    def test_events_go_on_when_the_certificate_was_renewed(self):
        """What was held leaves in order once the operator mended it."""
        expired = self.authority.sign(HOST, ends_in=-datetime.timedelta(
            hours=1))
        context = self.authority.server(expired)
        sink = Sink(tls=context)
        self.addCleanup(sink.close)
        self.fill()
        made = self.poster(sink.url, cafile=self.authority.file)
        self.assertRaises(Unavailable, made.step)
        context.load_cert_chain(self.good.certificate, self.good.key)
        self.assertEqual(3, made.step())
        self.assertEqual(["id-0", "id-1", "id-2"], sink.accepted)

    def test_a_plain_server_is_not_talked_to(self):
        sink = Sink()
        self.addCleanup(sink.close)
        sink.url = sink.url.replace("http:", "https:")
        self.assert_holds(sink, cafile=self.authority.file)


class TestInsecure(_TlsTest):

    def test_it_posts_to_anybody_and_warns_at_each_start(self):
        alone = self.authority.sign("api.example.org", by_itself=True)
        sink = self.sink(alone)
        with self.assertLogs(credentials.LOG, logging.WARNING) as logs:
            self.assert_posts(sink, insecure="true")
        warning, = logs.output
        self.assertIn("[api_auth] insecure is set", warning)
        self.assertIn("not verified", warning)

    def test_without_it_nothing_is_said(self):
        with self.assertNoLogs("monasca_events_common", logging.WARNING):
            self.session("https://127.0.0.1:1", cafile=self.authority.file)


class TestClientCertificate(_TlsTest):
    """An API that lets in only who has a certificate."""

    def test_events_are_posted_with_the_agents_certificate(self):
        """M15"""
        mine = self.authority.sign("agent")
        self.assert_posts(
            self.sink(asks_clients=True), cafile=self.authority.file,
            certfile=mine.certificate, keyfile=mine.key)

    def test_certificate_and_key_may_be_one_file(self):
        mine = self.authority.sign("agent")
        both = self.home / "both.pem"
        both.write_bytes(mine.certificate.read_bytes()
                         + mine.key.read_bytes())
        self.assert_posts(self.sink(asks_clients=True),
                          cafile=self.authority.file, certfile=both)

    def test_without_one_the_events_are_held(self):
        self.assert_holds(self.sink(asks_clients=True),
                          cafile=self.authority.file)

    def test_one_of_another_authority_is_not_let_in(self):
        stranger = Authority(self.home, "strange authority").sign("agent")
        self.assert_holds(
            self.sink(asks_clients=True), cafile=self.authority.file,
            certfile=stranger.certificate, keyfile=stranger.key)


class TestFiles(_TlsTest):
    """Mistakes of the operator's are told at start, later ones waited for."""

    def test_files_that_cannot_be_read_end_the_start(self):
        mine = self.authority.sign("agent")
        wrong = (dict(cafile="/nowhere/ca.pem"),
                 dict(certfile="/nowhere/agent.pem"),
                 dict(certfile=mine.certificate, keyfile="/nowhere/key"),
                 dict(cafile=self.broken()),
                 dict(certfile=mine.certificate, keyfile=self.good.key),
                 dict(certfile=mine.certificate))
        for settings in wrong:
            with self.subTest(**settings):
                with self.assertRaises(Misconfigured) as caught:
                    self.session("https://127.0.0.1:1", **settings)
                self.assertIn("[api_auth]", str(caught.exception))
                self.assertIn(str(list(settings.values())[-1]),
                              str(caught.exception))

    def broken(self):
        path = self.home / "broken.pem"
        path.write_text("this is no certificate\n")
        return path

    def test_a_key_without_a_certificate_is_a_mistake(self):
        self.assertRaises(Misconfigured, self.session, "https://127.0.0.1:1",
                          keyfile=self.good.key)

    def test_waiting_for_the_identity_service_has_an_end(self):
        """F14"""
        self.assertEqual(10, self.session("https://127.0.0.1:1").timeout)
        self.assertEqual(3, self.session("https://127.0.0.1:1",
                                         timeout=3).timeout)

    def test_a_file_that_vanishes_later_holds_the_events(self):
        copy = self.home / "copy.pem"
        copy.write_bytes(self.authority.file.read_bytes())
        sink = self.sink()
        self.fill()
        made = self.poster(sink.url, cafile=copy)
        copy.unlink()
        self.assertRaises(Unavailable, made.step)
        copy.write_bytes(self.authority.file.read_bytes())
        self.assertEqual(3, made.step())


if __name__ == "__main__":
    unittest.main()
