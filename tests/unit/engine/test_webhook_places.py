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

"""Where webhooks go, and where they must not: S7 and S18."""

import base64
import datetime
import socket
import threading
from unittest import mock

from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine.actions.webhook import Webhook
from tests.unit.common import hostile_urls
from tests.unit.engine.hooks import answers
from tests.unit.engine.hooks import HOST
from tests.unit.engine.hooks import WebhookCase
from tests.unit.engine.receiver import Receiver


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
