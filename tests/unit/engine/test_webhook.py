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

"""The webhook action against servers on loopback."""

import base64
import datetime
import email.utils
import hashlib
import hmac
import json
import logging
import pathlib
import socket
import tempfile
import textwrap
import threading
import unittest
from unittest import mock

from oslo_config import cfg
import standardwebhooks

from monasca_events_common.catalog import signing
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine.actions.webhook import Webhook
from tests.integration.authority import Authority
from tests.unit.common import hostile_urls
from tests.unit.engine.outgoing import AT
from tests.unit.engine.outgoing import delivery
from tests.unit.engine.outgoing import parts
from tests.unit.engine.outgoing import PROJECT
from tests.unit.engine.receiver import Receiver

ROOT = pathlib.Path(__file__).parents[3]

HOST = "hooks.example.org"

KEYS = tuple(signing.make_key().text for _ in range(2))


def answers(**names):
    """Return a lookup: name → addresses, as ``getaddrinfo`` gives them.

    A name with a list of lists has another answer each time.
    """
    names = {name.replace("_", "."): found for name, found in names.items()}

    def look_up(host, port, **_options):
        found = names.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        if isinstance(found[0], list):
            found = found.pop(0)
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET,
                 socket.SOCK_STREAM, 6, "", (one, port)) for one in found]
    return look_up


class WebhookCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.authority = Authority(pathlib.Path(folder.name))
        cls.pair = cls.authority.sign(HOST)

    def receiver(self, *arguments, plain: bool = False, pair=None, **options
                 ) -> Receiver:
        tls = None if plain else self.authority.server(pair or self.pair)
        made = Receiver(*arguments, tls=tls, **options)
        self.addCleanup(made.close)
        return made

    def webhook(self, *ports: int, lookup=None, **values) -> Webhook:
        """Return an action that may go to loopback unless told otherwise."""
        conf = cfg.ConfigOpts()
        conf.register_opts(Webhook.OPTS, group=Webhook.GROUP)
        conf([], project="test", default_config_files=[],
             default_config_dirs=[])
        for name, value in {
                "ports": [*ports, 443], "ca_file": str(self.authority.file),
                "allowed_networks": ["127.0.0.0/8"], **values}.items():
            conf.set_override(name, value, group=Webhook.GROUP)
        made = Webhook(conf.webhook, parts(),
                       lookup or answers(**{HOST: ["127.0.0.1"]}))
        self.addCleanup(made.close)
        return made

    def call(self, action: Webhook, url: str, **fields) -> dict:
        return action.execute(delivery(**{
            "method": {"address": url, "settings": {}}, "secrets": KEYS,
            **fields}))


class TestRequest(WebhookCase):

    def test_a_firing_arrives_as_standard_webhooks_says(self):
        receiver = self.receiver()
        sent = delivery()
        found = self.call(self.webhook(receiver.port),
                          f"https://{HOST}:{receiver.port}/a/b?c=d")
        self.assertEqual("2xx", found["answer"])
        (path, headers, body), = receiver.requests
        self.assertEqual("/a/b?c=d", path)
        self.assertEqual(f"{HOST}:{receiver.port}", headers["Host"])
        self.assertEqual("application/json", headers["Content-Type"])
        self.assertEqual(sent.delivery_id, headers["webhook-id"])
        content = json.loads(body)
        self.assertEqual("monasca.event.fired", content["type"])
        self.assertEqual(AT, content["timestamp"])
        self.assertEqual("t-1", content["data"]["trigger_id"])
        self.assertEqual("vm-1", content["data"]["event"]["resource_id"])

    def test_a_receiver_with_either_key_verifies_it(self):
        """S8: with the package of Standard Webhooks, and by hand."""
        receiver = self.receiver()
        self.call(self.webhook(receiver.port),
                  f"https://{HOST}:{receiver.port}/")
        (_, headers, body), = receiver.requests
        for key in KEYS:
            standardwebhooks.Webhook(key).verify(body, headers)
            signed = (f"{headers['webhook-id']}."
                      f"{headers['webhook-timestamp']}.").encode() + body
            digest = hmac.new(base64.b64decode(key.split("_", 1)[1]), signed,
                              hashlib.sha256).digest()
            self.assertIn("v1," + base64.b64encode(digest).decode(),
                          headers["webhook-signature"].split(" "))

    def test_the_example_of_the_documentation_verifies_it(self):
        """S8"""
        receiver = self.receiver()
        self.call(self.webhook(receiver.port),
                  f"https://{HOST}:{receiver.port}/")
        (_, headers, body), = receiver.requests
        page = (ROOT / "doc/source/reference/webhooks.rst").read_text("utf-8")
        scope: dict = {}
        exec(textwrap.dedent(page.split(  # noqa: S102 - it is ours
            ".. code-block:: python\n", 1)[1].split("\nRefuse", 1)[0]), scope)
        self.assertTrue(scope["verify"](KEYS[0], headers, body))
        self.assertFalse(scope["verify"](KEYS[0], headers, body + b" "))

    def test_a_forged_or_foreign_one_is_found_out(self):
        """S8"""
        receiver = self.receiver()
        self.call(self.webhook(receiver.port),
                  f"https://{HOST}:{receiver.port}/")
        (_, headers, body), = receiver.requests
        error = standardwebhooks.WebhookVerificationError
        ours = standardwebhooks.Webhook(KEYS[0])
        with self.assertRaises(error):
            ours.verify(body.replace(b"HIGH", b"LOW!"), headers)
        with self.assertRaises(error):
            ours.verify(body, {**headers, "webhook-id": "other"})
        with self.assertRaises(error):
            ours.verify(body, {**headers, "webhook-timestamp": str(
                int(headers["webhook-timestamp"]) - 1)})
        with self.assertRaises(error):
            standardwebhooks.Webhook(signing.make_key().text).verify(
                body, headers)

    def test_without_a_key_nothing_is_sent(self):
        receiver = self.receiver()
        with self.assertRaisesRegex(Rejected, "no signing key"):
            self.call(self.webhook(receiver.port),
                      f"https://{HOST}:{receiver.port}/", secrets=())
        self.assertEqual(0, receiver.connections)

    def test_what_a_tenant_writes_changes_no_header(self):
        """S8"""
        receiver = self.receiver()
        self.call(self.webhook(receiver.port),
                  f"https://{HOST}:{receiver.port}/",
                  method={"address": f"https://{HOST}:{receiver.port}/",
                          "name": "a\r\nX-A: 1", "settings": {
                              "headers": {"Authorization": "x", "Host": "y"},
                              "Authorization": "x"}})
        (_, headers, _), = receiver.requests
        self.assertEqual({"Host", "Content-Type", "Content-Length",
                          "Accept-Encoding", "User-Agent", "webhook-id",
                          "webhook-timestamp", "webhook-signature"},
                         set(headers))

    def test_a_connection_serves_again(self):
        receiver = self.receiver()
        action = self.webhook(receiver.port)
        for _ in range(5):
            self.call(action, f"https://{HOST}:{receiver.port}/")
        self.assertEqual((1, 5), (receiver.connections,
                                  len(receiver.requests)))

    def test_one_that_the_receiver_closed_is_made_anew(self):
        def close(request):
            request.close_connection = True
            return 200, {}, b""
        receiver = self.receiver(close)
        action = self.webhook(receiver.port)
        for _ in range(3):
            self.call(action, f"https://{HOST}:{receiver.port}/")
        self.assertEqual(3, len(receiver.requests))

    def test_an_address_as_host_has_its_certificate_too(self):
        receiver = self.receiver(pair=self.authority.sign("127.0.0.1"))
        self.call(self.webhook(receiver.port),
                  f"https://127.0.0.1:{receiver.port}/")
        self.assertEqual(1, len(receiver.requests))

    def test_http_is_spoken_where_the_operator_allows_it(self):
        receiver = self.receiver(plain=True)
        url = f"http://{HOST}:{receiver.port}/"
        with self.assertRaisesRegex(Rejected, "begins with 'http'"):
            self.call(self.webhook(receiver.port), url)
        self.call(self.webhook(receiver.port, schemes=["http"]), url)
        self.assertEqual(1, len(receiver.requests))

    def test_the_target_is_a_host_and_port_of_one_project(self):
        action = self.webhook(8443)
        one = action.target(PROJECT, {"address": "https://a.b/x"})
        self.assertEqual(one, action.target(PROJECT, {
            "address": "https://A.b:443/y"}))
        self.assertNotEqual(one, action.target("other", {
            "address": "https://a.b/x"}))
        self.assertNotEqual(one, action.target(PROJECT, {
            "address": "https://a.b:8443/x"}))


class TestAnswers(WebhookCase):

    def failure(self, status: int, **headers) -> Exception:
        receiver = self.receiver(lambda request: (
            status, {name.replace("_", "-"): value
                     for name, value in headers.items()},
            b"SECRET of the receiver"))
        with self.assertRaises((Rejected, Unavailable)) as caught:
            self.call(self.webhook(receiver.port),
                      f"https://{HOST}:{receiver.port}/")
        self.assertEqual(1, len(receiver.requests))
        # S7: of the answer no more than its class is told.
        self.assertNotIn("SECRET", str(caught.exception))
        return caught.exception

    def test_every_2xx_is_a_success(self):
        for status in (200, 201, 202, 204):
            receiver = self.receiver(lambda request, status=status: (
                status, {}, b""))
            self.assertEqual("2xx", self.call(
                self.webhook(receiver.port),
                f"https://{HOST}:{receiver.port}/")["answer"])

    def test_410_is_final(self):
        self.assertIsInstance(self.failure(410), Rejected)

    def test_all_others_are_tried_again(self):
        for status in (300, 400, 401, 404, 408, 422, 429, 500, 502, 503):
            with self.subTest(status=status):
                error = self.failure(status)
                self.assertIsInstance(error, Unavailable)
                self.assertIn(f"{status // 100}xx", str(error))
                self.assertEqual(0, error.retry_after)

    def test_a_receiver_that_is_busy_says_for_how_long(self):
        soon = datetime.datetime.now(datetime.timezone.utc) \
            + datetime.timedelta(seconds=300)
        for status in (429, 503):
            self.assertEqual(120, self.failure(
                status, Retry_After="120").retry_after)
            self.assertAlmostEqual(300, self.failure(
                status, Retry_After=email.utils.format_datetime(
                    soon, usegmt=True)).retry_after, delta=60)
        for text in ("nonsense", "-5", "1e9", "Mon, 32 Foo 2026", ""):
            self.assertEqual(0, self.failure(
                503, Retry_After=text).retry_after)
        self.assertEqual(0, self.failure(500, Retry_After="9").retry_after)

    def test_a_redirect_is_not_followed(self):
        """S7"""
        inside = self.receiver()
        for status in (301, 302, 303, 307, 308):
            self.failure(status, Location=f"https://{HOST}:{inside.port}/")
        self.assertEqual(0, inside.connections)

    def test_a_long_answer_is_not_read_to_its_end(self):
        """S7: 64 KiB."""
        written = []

        def pour(request):
            request.send_response(200)
            request.send_header("Content-Length", str(1 << 40))
            request.end_headers()
            try:
                while len(written) < 4096:
                    request.wfile.write(b"x" * 65536)
                    written.append(1)
            except OSError:
                pass
            request.close_connection = True
        receiver = self.receiver(pour)
        action = self.webhook(receiver.port)
        self.call(action, f"https://{HOST}:{receiver.port}/")
        self.assertLess(len(written), 4096)
        self.call(action, f"https://{HOST}:{receiver.port}/")
        self.assertEqual(2, receiver.connections)

    def test_answers_that_are_no_http_are_tried_again(self):
        for answer in (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n",
                       b"\x00" * 100000,
                       b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n"):
            def write(request, answer=answer):
                request.wfile.write(answer)
                request.close_connection = True
            receiver = self.receiver(write)
            with self.subTest(answer=answer[:30]):
                with self.assertRaises(Unavailable):
                    self.call(self.webhook(receiver.port),
                              f"https://{HOST}:{receiver.port}/")


    def test_an_answer_that_breaks_off_counts_by_its_status(self):
        for answer in (b"Content-Length: 9\r\n\r\nshort",
                       b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"):
            def write(request, answer=answer):
                request.wfile.write(b"HTTP/1.1 200 OK\r\n" + answer)
                request.close_connection = True
            receiver = self.receiver(write)
            action = self.webhook(receiver.port)
            for _ in range(2):
                self.call(action, f"https://{HOST}:{receiver.port}/")
            self.assertEqual(2, receiver.connections)


class TestTime(WebhookCase):
    """S7: 5 seconds to connect, 10 in all; here less of both."""

    def assert_given_up(self, action: Webhook, url: str) -> None:
        with self.assertRaisesRegex(Unavailable, "did not answer in time"):
            self.call(action, url)

    def test_a_receiver_that_hangs_is_given_up(self):
        end = threading.Event()
        self.addCleanup(end.set)
        receiver = self.receiver(lambda request: end.wait(60) and None)
        self.assert_given_up(self.webhook(receiver.port, timeout=0.3),
                             f"https://{HOST}:{receiver.port}/")

    def test_one_that_answers_a_byte_at_a_time_is_given_up(self):
        end = threading.Event()
        self.addCleanup(end.set)

        def drip(request):
            try:
                while not end.wait(0.05):
                    request.wfile.write(b"H")
                    request.wfile.flush()
            except OSError:
                pass
            request.close_connection = True
        receiver = self.receiver(drip)
        self.assert_given_up(self.webhook(receiver.port, timeout=0.5),
                             f"https://{HOST}:{receiver.port}/")

    def test_an_answer_whose_body_never_ends_is_left(self):
        end = threading.Event()
        self.addCleanup(end.set)

        def drip(request):
            request.send_response(200)
            request.send_header("Content-Length", "60000")
            request.end_headers()
            try:
                while not end.wait(0.05):
                    request.wfile.write(b".")
                    request.wfile.flush()
            except OSError:
                pass
            request.close_connection = True
        receiver = self.receiver(drip)
        self.call(self.webhook(receiver.port, timeout=0.5),
                  f"https://{HOST}:{receiver.port}/")

    def test_one_that_never_finishes_tls_is_given_up(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]
        self.assert_given_up(
            self.webhook(port, timeout=0.5, connect_timeout=0.3),
            f"https://{HOST}:{port}/")

    def test_a_resolver_that_hangs_is_given_up(self):
        end = threading.Event()
        self.addCleanup(end.set)

        def hang(*_arguments, **_options):
            end.wait(60)
            return []
        with self.assertRaisesRegex(Unavailable, "not resolved in time"):
            self.call(self.webhook(lookup=hang, connect_timeout=0.2),
                      f"https://{HOST}/")


class TestWhereItMustNotGo(WebhookCase):
    """S7: a tenant's webhook and the operator's network."""

    def test_no_url_of_the_corpus_leads_to_a_connection(self):
        """With the machine's own resolver; a listener gets no visit."""
        receiver = self.receiver(plain=True)
        action = self.webhook(receiver.port, allowed_networks=[],
                              lookup=socket.getaddrinfo)
        for url in hostile_urls.REFUSED:
            with self.subTest(url=url):
                with self.assertRaises(Rejected):
                    self.call(action, url.replace("{port}",
                                                  str(receiver.port)))
        self.assertEqual(0, receiver.connections)

    def test_no_name_of_a_forbidden_address_leads_to_a_connection(self):
        receiver = self.receiver()
        for address in hostile_urls.FORBIDDEN_ADDRESSES:
            action = self.webhook(
                receiver.port, allowed_networks=[],
                lookup=answers(**{HOST: [address]}))
            with self.subTest(address=address):
                with self.assertRaisesRegex(Rejected, "may not go to"):
                    self.call(action, f"https://{HOST}:{receiver.port}/")
        self.assertEqual(0, receiver.connections)

    def test_one_forbidden_address_among_good_ones_is_enough(self):
        good = self.receiver(address="127.0.0.2")
        for found in (["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"],
                      ["127.0.0.2", "::1"]):
            action = self.webhook(
                good.port, allowed_networks=["127.0.0.2/32"],
                lookup=answers(**{HOST: found}))
            with self.assertRaises(Rejected):
                self.call(action, f"https://{HOST}:{good.port}/")
        self.assertEqual(0, good.connections)

    def test_a_name_that_changes_after_the_check_gains_nothing(self):
        """DNS rebinding: each attempt asks once and goes where that said."""
        good = self.receiver(lambda request: (500, {"Connection": "close"},
                                              b""), address="127.0.0.2")
        inside = self.receiver(address="127.0.0.1", port=good.port)
        action = self.webhook(
            good.port, allowed_networks=["127.0.0.2/32"],
            lookup=answers(**{HOST: [["127.0.0.2"], ["127.0.0.1"],
                                     ["127.0.0.2"], ["127.0.0.1"]]}))
        url = f"https://{HOST}:{good.port}/"
        for error in (Unavailable, Rejected, Unavailable, Rejected):
            with self.assertRaises(error):
                self.call(action, url)
        self.assertEqual((2, 0), (len(good.requests), inside.connections))

    def test_the_environments_proxies_are_not_asked(self):
        proxy = self.receiver(plain=True)
        receiver = self.receiver()
        names = dict.fromkeys(
            ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "http_proxy"),
            f"http://127.0.0.1:{proxy.port}")
        with mock.patch.dict("os.environ", names):
            self.call(self.webhook(receiver.port),
                      f"https://{HOST}:{receiver.port}/")
        self.assertEqual((0, 1), (proxy.connections,
                                  len(receiver.requests)))

    def test_an_option_that_was_tightened_counts_at_once(self):
        receiver = self.receiver()
        action = self.webhook(receiver.port)
        url = f"https://{HOST}:{receiver.port}/"
        self.call(action, url)
        action.conf._conf.set_override("ports", [443], group="webhook")
        with self.assertRaises(Rejected):
            self.call(action, url)
        self.assertEqual(1, len(receiver.requests))

    def test_names_that_lead_nowhere_are_tried_again(self):
        for lookup in (answers(), answers(**{HOST: ["127.0.0.1"]})):
            with self.assertRaises(Unavailable):
                self.call(self.webhook(1, lookup=lookup),
                          f"https://{HOST}:1/")

    def test_a_second_address_serves_where_the_first_does_not(self):
        receiver = self.receiver(address="127.0.0.3")
        action = self.webhook(receiver.port, lookup=answers(
            **{HOST: ["127.0.0.2", "127.0.0.3"]}))
        self.call(action, f"https://{HOST}:{receiver.port}/")
        self.assertEqual(1, len(receiver.requests))


class TestCertificates(WebhookCase):
    """S18"""

    def assert_refused(self, pair, words: str, **values) -> None:
        receiver = self.receiver(pair=pair)
        with self.assertRaisesRegex(Unavailable, words):
            self.call(self.webhook(receiver.port, **values),
                      f"https://{HOST}:{receiver.port}/")
        self.assertEqual([], receiver.requests)

    def test_a_certificate_must_be_for_the_name_and_valid(self):
        sign = self.authority.sign
        for pair, words in (
                (sign("other.example.org"), "Hostname mismatch"),
                (sign("127.0.0.1"), "Hostname mismatch"),
                (sign(HOST, by_itself=True), "self-signed"),
                (sign(HOST, ends_in=-datetime.timedelta(hours=1)),
                 "expired")):
            with self.subTest(words=words):
                self.assert_refused(pair, words)

    def test_the_systems_authorities_count_where_no_file_is_named(self):
        self.assert_refused(self.pair, "cannot be verified", ca_file=None)

    def test_a_server_without_tls_gets_nothing(self):
        receiver = self.receiver(plain=True)
        with self.assertRaises(Unavailable):
            self.call(self.webhook(receiver.port),
                      f"https://{HOST}:{receiver.port}/")
        self.assertEqual([], receiver.requests)


class ConnectProxy:
    """An HTTP proxy that knows CONNECT.

    :ivar asked: first line and Proxy-Authorization of each request
    """

    def __init__(self, port: int) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,),
                             daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(
                ("127.0.0.1", self._to)) as server:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            lines = head.decode().split("\r\n")
            self.asked.append((lines[0], next(
                (one.split(": ", 1)[1] for one in lines
                 if one.lower().startswith("proxy-authorization")), None)))
            client.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
            back = threading.Thread(target=_copy, args=(server, client),
                                    daemon=True)
            back.start()
            _copy(client, server)
            back.join()

    def close(self) -> None:
        self._listener.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class TestProxy(WebhookCase):

    def proxied(self, **values) -> tuple[Receiver, ConnectProxy, Webhook]:
        receiver = self.receiver()
        proxy = ConnectProxy(receiver.port)
        self.addCleanup(proxy.close)
        return receiver, proxy, self.webhook(443, **{
            "proxy": f"http://me:pass@127.0.0.1:{proxy.port}",
            "allowed_networks": ["10.0.0.0/8"],
            "lookup": answers(**{HOST: ["10.9.9.9"]}), **values})

    def test_it_is_asked_for_the_address_that_was_checked(self):
        receiver, proxy, action = self.proxied()
        self.call(action, f"https://{HOST}/x")
        (line, authorization), = proxy.asked
        self.assertEqual("CONNECT 10.9.9.9:443", line.rpartition(" ")[0])
        self.assertEqual(
            "Basic " + base64.b64encode(b"me:pass").decode(), authorization)
        (path, headers, _), = receiver.requests
        self.assertEqual(("/x", HOST), (path, headers["Host"]))
        self.assertNotIn("Proxy-Authorization", headers)

    def test_a_forbidden_address_is_not_asked_for(self):
        _, proxy, action = self.proxied(allowed_networks=[])
        with self.assertRaises(Rejected):
            self.call(action, f"https://{HOST}/")
        self.assertEqual([], proxy.asked)

    def test_it_resolves_names_where_the_operator_says_so(self):
        _, proxy, action = self.proxied(lookup=answers(),
                                        proxy_resolves=True)
        self.call(action, f"https://{HOST}/")
        self.assertEqual(f"CONNECT {HOST}:443",
                         proxy.asked[0][0].rpartition(" ")[0])

    def test_a_proxy_that_is_none_stops_the_start_without_its_password(self):
        for url in ("https://u:hidden@p:1", "socks5://u:hidden@p", "hidden",
                    "http://u:hidden@:x"):
            with self.assertRaises(Misconfigured) as caught:
                self.webhook(proxy=url)
            self.assertNotIn("hidden", str(caught.exception))


class TestSecrecy(WebhookCase):

    def test_keys_and_answers_are_in_no_line_of_the_log(self):
        receiver = self.receiver(lambda request: (500, {}, b"ANSWER"))
        logging.getLogger().setLevel(logging.DEBUG)
        self.addCleanup(logging.getLogger().setLevel, logging.WARNING)
        with self.assertLogs(level=logging.DEBUG) as logs:
            logging.getLogger("x").debug("at least one")
            with self.assertRaises(Unavailable):
                self.call(self.webhook(receiver.port),
                          f"https://{HOST}:{receiver.port}/")
        text = "\n".join(logs.output)
        for secret in (*KEYS, "ANSWER"):
            self.assertNotIn(secret, text)

    def test_a_delivery_does_not_show_its_keys(self):
        self.assertNotIn(KEYS[0], repr(delivery(secrets=KEYS)))


