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

import bz2
import os
import struct
import tempfile
import zlib

import testtools

from monasca_events_agent.sources import compression
from monasca_events_agent.sources import rabbit
from monasca_events_agent.sources.frames import BrokenFrame
from monasca_events_agent.sources.frames import FrameReader
from monasca_events_common.errors import Misconfigured
from tests.unit.agent.sink import options


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def delivery(tag, body, channel=1, cut=None, properties=b"\x00\x00"):
    """Return the frames of one message, its body cut into some."""
    method = (struct.pack(">HH", 60, 60) + b"\x010" + struct.pack(">Q", tag)
              + b"\x00" + b"\x08exchange" + b"\x03key")
    header = struct.pack(">HHQ", 60, 0, len(body)) + properties
    size = cut or len(body) or 1
    return b"".join([
        frame(1, channel, method), frame(2, channel, header),
        *(frame(3, channel, body[place:place + size])
          for place in range(0, len(body), size))])


class TestFrames(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.others = []
        self.reader = FrameReader(1, self.others.append)

    def found(self, *pieces):
        return [(one.tag, one.body) for piece in pieces
                for one in self.reader.feed(piece)]

    def test_deliveries_are_read_however_the_bytes_are_cut(self):
        stream = (delivery(1, b"one") + delivery(2, b"x" * 1000, cut=300)
                  + delivery(3, b"") + frame(8, 0, b"")
                  + delivery(2 ** 40, b"four"))
        expected = [(1, b"one"), (2, b"x" * 1000), (3, b""),
                    (2 ** 40, b"four")]
        self.assertEqual(expected, self.found(stream))
        for size in (1, 2, 7, 8, 9, 64):
            self.assertEqual(expected, self.found(*(
                stream[place:place + size]
                for place in range(0, len(stream), size))), size)
        self.assertEqual([(8, 0, b"")] * 7, self.others)

    def test_properties_are_handed_over_as_they_are(self):
        one, = self.reader.feed(delivery(1, b"x", properties=b"\x20\x00abc"))
        self.assertEqual(b"\x20\x00abc", one.properties)

    def test_what_is_no_delivery_is_anothers(self):
        close = struct.pack(">HH", 20, 40)
        self.reader.feed(frame(1, 1, close) + frame(1, 0, b"\x00\x0a\x00\x32")
                         + frame(3, 2, b"body of another channel"))
        self.assertEqual([(1, 1, close), (1, 0, b"\x00\x0a\x00\x32"),
                          (3, 2, b"body of another channel")], self.others)

    def test_an_error_of_the_other_is_not_swallowed(self):
        def fail(_frame):
            raise ConnectionError("closed")
        self.assertRaises(ConnectionError, FrameReader(1, fail).feed,
                          frame(1, 0, b"\x00\x0a\x00\x32"))

    def test_bytes_that_are_no_frames_are_noticed(self):
        broken = bytearray(delivery(1, b"one"))
        broken[-1] = 0
        self.assertRaises(BrokenFrame, self.reader.feed, bytes(broken))


class TestCompression(testtools.TestCase):

    def test_what_kombu_compresses_is_opened(self):
        for name, compress in ((b"application/x-gzip", zlib.compress),
                               (b"application/x-bz2", bz2.compress)):
            properties = b"\x0bcompressionS\x00\x00\x00\x12" + name
            self.assertEqual(b"body" * 100, compression.opened(
                properties, compress(b"body" * 100)))

    def test_the_rest_stays_as_it_is(self):
        self.assertEqual(b"x", compression.opened(b"", b"x"))
        for name in (b"application/x-gzip", b"application/x-bz2",
                     b"application/zstd"):
            self.assertEqual(b"not packed", compression.opened(
                b"compression" + name, b"not packed"))

    def test_a_small_body_cannot_fill_the_memory(self):
        """S13"""
        bomb = zlib.compress(b"\0" * (compression.MAX_BODY + 1))
        self.assertEqual(bomb, compression.opened(
            b"compressionapplication/x-gzip", bomb))


class TestRabbit(testtools.TestCase):

    def conf(self, **values):
        return options(rabbit.GROUP, rabbit.OPTS, **values)

    def test_urls_are_read_as_oslo_messaging_reads_them(self):
        broker = rabbit.parse_url(
            "rabbit://us%40er:p%2Fw@one:5671,two:x@two/v%2Fhost")
        self.assertEqual("v/host", broker.vhost)
        self.assertEqual((rabbit.Host("one", 5671, "us@er", "p/w"),
                          rabbit.Host("two", 5672, "two", "x")),
                         broker.hosts)
        self.assertEqual("/", rabbit.parse_url("rabbit://h").vhost)
        self.assertEqual("::1", rabbit.parse_url(
            "rabbit://u:p@[::1]:5672/").hosts[0].name)

    def test_a_wrong_url_is_refused_without_showing_a_password(self):
        for url in ("http://u:secret@h", "rabbit://", "secret",
                    "rabbit://u:secret@h:port/"):
            error = self.assertRaises(Misconfigured, rabbit.parse_url, url)
            self.assertNotIn("secret", str(error))
        self.assertNotIn("secret", repr(rabbit.parse_url(
            "rabbit://u:secret@h")))

    def test_no_url_is_the_operators_mistake(self):
        self.assertRaises(Misconfigured, rabbit.urls, self.conf())

    def test_each_priority_has_a_queue_of_the_notifiers_name(self):
        found = list(rabbit.queues(self.conf(topics=["a", "b"])))
        self.assertEqual(14, len(found))
        self.assertIn(("a.info", "a.info"), found)
        self.assertEqual({"pool"}, {queue for queue, _key in rabbit.queues(
            self.conf(pool="pool"))})

    def test_settings_travel_in_the_url(self):
        url = rabbit.with_settings("rabbit://h/", self.conf(
            queue_type="quorum", prefetch=7))
        self.assertIn("rabbit_quorum_queue=True", url)
        self.assertIn("amqp_durable_queues=False", url)
        self.assertIn("rabbit_qos_prefetch_count=7", url)
        self.assertNotIn("ssl", url)

    def test_tls_is_never_without_certificates_to_verify_against(self):
        """S18"""
        with tempfile.NamedTemporaryFile() as file:
            url = rabbit.with_settings("rabbit://h/?x=1", self.conf(
                ssl=True, ssl_ca_file=file.name))
            self.assertIn("&", url)
            self.assertIn(os.path.basename(file.name), url)
        self.assertIn("ssl_ca_file=", rabbit.with_settings(
            "rabbit://h/", self.conf(ssl=True)))

    def test_a_batch_is_at_most_half_the_prefetch(self):
        self.assertEqual(250, rabbit.batch_size(self.conf(batch_size=500)))
        self.assertEqual(100, rabbit.batch_size(self.conf(batch_size=100)))
        self.assertEqual(1, rabbit.batch_size(self.conf(prefetch=1)))
