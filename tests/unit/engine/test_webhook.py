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
import textwrap
import threading

import standardwebhooks

from monasca_events_common.catalog import signing
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine.actions.webhook import Webhook
from tests.unit.engine.hooks import HOST
from tests.unit.engine.hooks import KEYS
from tests.unit.engine.hooks import WebhookCase
from tests.unit.engine.outgoing import AT
from tests.unit.engine.outgoing import delivery
from tests.unit.engine.outgoing import PROJECT
from tests.unit.engine.receiver import Receiver

ROOT = pathlib.Path(__file__).parents[3]


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

    def dripping(self, begin) -> Receiver:
        """Return a receiver that begins as told and then sends a byte now
        and then, for ever."""
        end = threading.Event()
        self.addCleanup(end.set)

        def drip(request):
            begin(request)
            try:
                while not end.wait(0.05):
                    request.wfile.write(b"H")
                    request.wfile.flush()
            except OSError:
                pass
            request.close_connection = True
        return self.receiver(drip)

    def test_one_that_answers_a_byte_at_a_time_is_given_up(self):
        receiver = self.dripping(lambda request: None)
        self.assert_given_up(self.webhook(receiver.port, timeout=0.5),
                             f"https://{HOST}:{receiver.port}/")

    def test_an_answer_whose_body_never_ends_is_left(self):
        def begin(request):
            request.send_response(200)
            request.send_header("Content-Length", "60000")
            request.end_headers()
        receiver = self.dripping(begin)
        self.call(self.webhook(receiver.port, timeout=5.0),
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
