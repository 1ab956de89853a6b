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

"""Messages by syslog: what they say, their frames, and taking them."""

import datetime
import json
import socket
import threading
import unittest

import prometheus_client

from monasca_events_agent.definitions import Definitions
from monasca_events_agent.normalise import Normaliser
from monasca_events_agent.sources import syslog
from monasca_events_agent.sources.syslog_frames import Frames
from monasca_events_agent.sources.syslog_message import read
from monasca_events_common.errors import Misconfigured
from tests.integration.daemons import wait_for
from tests.unit.agent.sink import options
from tests.unit.agent.test_sources_file import Kept

ZONE = datetime.timezone(datetime.timedelta(hours=1))
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=ZONE)
OPERATOR, TENANT = "0" * 32, "1" * 32
REQUEST = "req-11111111-2222-3333-4444-555555555555"


class TestMessage(unittest.TestCase):
    """T11, M6: RFC 5424, RFC 3164 and CEE."""

    def read(self, text: str):
        return read(text.encode(), NOW)

    def test_all_parts_of_rfc_5424(self):
        found = self.read(
            '<165>1 2026-08-24T05:14:15.000003-07:00 web.example app-1 8710 '
            'ID47 [ex@32473 iut="3" says="a \\"b\\" \\] \\\\ c"][two@1 x="y"] '
            '\ufeff an event')
        self.assertEqual({
            "facility": "local4", "severity": "notice",
            "hostname": "web.example", "app_name": "app-1", "procid": "8710",
            "msgid": "ID47", "message": "an event",
            "structured_data": {"ex@32473": {"iut": "3",
                                             "says": 'a "b" ] \\ c'},
                                "two@1": {"x": "y"}}}, found.payload)
        self.assertEqual("2026-08-24T05:14:15.000003-07:00", found.timestamp)
        self.assertEqual("INFO", found.priority)

    def test_what_is_not_known_is_left_out(self):
        found = self.read("<34>1 - - - - - -")
        self.assertEqual({"facility": "auth", "severity": "crit",
                          "message": ""}, found.payload)
        self.assertIsNone(found.timestamp)

    def test_severities_become_priorities(self):
        self.assertEqual(
            ["CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARN", "INFO",
             "INFO", "DEBUG"],
            [self.read(f"<{n}>1 - - - - - - x").priority for n in range(8)])

    def test_the_older_form(self):
        for text, host, app, procid, said in (
                ("Oct  1 22:14:15 mymachine su: 'su root' failed",
                 "mymachine", "su", None, "'su root' failed"),
                ("Oct 11 22:14:15 fe80::1 sshd[123]: x: y",
                 "fe80::1", "sshd", "123", "x: y"),
                ("Oct 11 22:14:15 cron[7]: at once", None, "cron", "7",
                 "at once"),
                ("2026-10-11T22:14:15.5+02:00 h a.b[1]: z", "h", "a.b", "1",
                 "z"),
                ("no head at all", None, None, None, "no head at all")):
            with self.subTest(text):
                found = self.read("<38>" + text)
                self.assertEqual((host, app, procid, said),
                                 (found.host, found.app, found.procid,
                                  found.text))
                self.assertEqual("auth", found.facility)

    def test_a_time_without_year_is_the_nearest(self):
        for text, expected in (("Jan  2 03:00:00", "2026-01-02T03:00:00"),
                               ("Dec 31 23:59:59", "2025-12-31T23:59:59"),
                               ("Jan 30 00:00:00", "2026-01-30T00:00:00")):
            self.assertEqual(expected + "+01:00",
                             self.read(f"<13>{text} h a: b").timestamp)
        self.assertIsNone(self.read("<13>Feb 30 00:00:00 h a: b").timestamp)
        self.assertIsNone(self.read("<13>Foo 30 00:00:00 h a: b").timestamp)

    def test_what_has_no_head_is_kept_whole(self):
        for text in ("plain", "<999>1 - - - - - - x", "<>x", "12 <13>"):
            found = self.read(text)
            self.assertEqual(("user", "notice", text),
                             (found.facility, found.severity, found.text))

    def test_a_broken_head_loses_no_text(self):
        for text in ('1 - h a p m [x y="z" text', "1 - h a p", "2 - h a",
                     '1 - h a p m [x y="z"]text'):
            self.assertEqual(text, self.read("<13>" + text).text)

    def test_cee_in_both_forms(self):
        for head in ("1 - h a - - - ", "Oct 11 22:14:15 h a: "):
            found = self.read(f"<13>{head}@cee: " + json.dumps(
                {"msg": "said", "user": {"id": 7}}))
            self.assertEqual(("said", {"msg": "said", "user": {"id": 7}}),
                             (found.text, found.cee))
        for broken in ("@cee: {", "@cee: [1]", "@cee:"):
            found = self.read("<13>1 - h a - - - " + broken)
            self.assertEqual((broken, None), (found.text, found.cee))

    def test_the_request_is_found(self):
        for text in (f"[{REQUEST} u p] GET /", f"@cee: {{\"request_id\": "
                     f"\"{REQUEST}\", \"msg\": \"x\"}}"):
            self.assertEqual(REQUEST, self.read(
                "<13>1 - h a - - - " + text).request_id)
        self.assertIsNone(self.read("<13>1 - - - - - - req-1").request_id)

    def test_bytes_that_are_no_text_harm_nobody(self):
        found = read(b"<13>1 - h a - - - \xff\xfe\x00ok", NOW)
        self.assertEqual("\ufffd\ufffd\0ok", found.text)


class TestFrames(unittest.TestCase):
    """T11: RFC 6587, however the bytes are parted."""

    def parted(self, stream: bytes, size: int, most: int = 40):
        frames = Frames(most)
        found = []
        for start in range(0, len(stream), size):
            found.extend(frames.feed(stream[start:start + size]))
        return [*found, *frames.end()]

    def assert_parted(self, expected, stream: bytes):
        for size in range(1, len(stream) + 1):
            self.assertEqual(expected, self.parted(stream, size), size)

    def test_lines_and_lengths_may_be_mixed(self):
        self.assert_parted(
            [(b"<1>one", False), (b"<2>two\nlines", False),
             (b"<3>three", False), (b"<4>four", False)],
            b"<1>one\n12 <2>two\nlines<3>three\0\n7 <4>four")

    def test_a_line_that_begins_with_a_number_is_a_line(self):
        self.assert_parted([(b"12 monkeys", False), (b"0 <x", False),
                            (b"12345678901", False)],
                           b"12 monkeys\n0 <x\n12345678901\n")

    def test_what_is_too_long_is_cut_and_the_next_is_whole(self):
        long = b"<1>" + b"x" * 60
        self.assert_parted([(long[:40], True), (b"<2>y", False),
                            (long[:40], True), (b"<3>z", False)],
                           b"%d %s4 <2>y%s\n<3>z\n" % (len(long), long, long))

    def test_the_end_of_the_connection_ends_the_last(self):
        self.assert_parted([(b"<1>last", False)], b"<1>last")
        self.assert_parted([(b"<1>half", True)], b"20 <1>half")


class TestSyslogSource(unittest.TestCase):
    """T11: over TCP and UDP; how it ends."""

    def start(self, kept=None, **values):
        """Run a source on ports of its own choice; return its addresses."""
        values = {"tcp": "127.0.0.1:0", "udp": "127.0.0.1:0", **values}
        source = syslog.SyslogSource(
            options("syslog", syslog.SyslogSource.OPTS, **values))
        bound = {}
        bind = source._bind

        def keep(kind):
            made = bind(kind)
            bound[kind] = made.getsockname()
            return made

        source._bind = keep
        stop = threading.Event()
        self.kept = kept or Kept()
        self.died = []

        def run():
            try:
                source.run(self.kept, stop)
            except BaseException as error:
                self.died.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def end():
            stop.set()
            thread.join(60)

        self.end = end
        self.addCleanup(end)
        wanted = {kind for kind in ("tcp", "udp") if values[kind]}
        wait_for("it listens", lambda: bound.keys() >= wanted)
        return bound

    def send(self, address, data: bytes):
        with socket.create_connection(address[:2]) as connection:
            connection.sendall(data)

    def said(self):
        return sorted(body["payload"]["message"] for body in self.kept.bodies)

    def test_messages_of_many_senders_arrive_once(self):
        bound = self.start()
        for sender in range(5):
            self.send(bound["tcp"], b"".join(
                b"<13>1 - h a - - - %d-%d\n" % (sender, n)
                for n in range(1000)))
        wait_for("all are there", lambda: len(self.kept.bodies) >= 5000)
        self.end()
        self.assertEqual(sorted(f"{s}-{n}" for s in range(5)
                                for n in range(1000)), self.said())
        self.assertLess(self.kept.batches, 5000)
        self.assertEqual({"syslog/tcp/127.0.0.1"}, set(self.kept.positions))
        self.assertEqual(5000, len({one["message_id"]
                                    for one in self.kept.bodies}))

    def test_datagrams(self):
        bound = self.start(max_message_bytes=480)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in (b"<13>Oct 11 22:14:15 a: one\n", b"\n", b"x" * 600):
                sender.sendto(data, bound["udp"])
        wait_for("both are there", lambda: len(self.kept.bodies) >= 2)
        self.end()
        self.assertEqual(["one", "x" * 480], self.said())
        one, cut = sorted(self.kept.bodies, key=lambda body: len(
            body["payload"]["message"]))
        self.assertEqual(("127.0.0.1", "syslog.a", "a:127.0.0.1"), (
            one["payload"]["hostname"], one["event_type"],
            one["publisher_id"]))
        self.assertTrue(cut["payload"]["cut"])

    def test_while_nothing_can_be_spooled_nothing_is_read(self):
        class Full(Kept):
            def __init__(self):
                super().__init__()
                self.free = threading.Event()

            def __call__(self, notices, bookmark=None):
                self.free.wait(60)
                super().__call__(notices, bookmark)

        full = Full()
        bound = self.start(full)
        with socket.create_connection(bound["tcp"][:2]) as sender:
            sender.setblocking(False)
            line = b"<13>1 - h a - - - " + b"x" * 1000 + b"\n"
            sent = 0

            def stands():
                nonlocal sent
                try:
                    while True:
                        sent += sender.send(line[sent % len(line):])
                except BlockingIOError:
                    return full.batches == 0
            wait_for("the sender stands", stands)
            full.free.set()
            sender.setblocking(True)
            sender.sendall(line[sent % len(line):])
            whole = -(-sent // len(line)) + (sent % len(line) == 0)
        wait_for("all is there", lambda: len(full.bodies) >= whole)
        self.end()
        self.assertEqual(whole, len(full.bodies))

    def test_what_it_cannot_spool_when_it_is_to_stop_is_counted(self):
        def lost():
            return prometheus_client.REGISTRY.get_sample_value(
                "monasca_events_dropped_total",
                {"stage": "agent", "reason": "stopped"}) or 0.0
        kept = Kept()
        kept.room = 0
        bound = self.start(kept)
        before = lost()
        self.send(bound["tcp"], b"<13>one\n<13>two\n")
        wait_for("they are lost", lambda: lost() == before + 2)
        self.end()
        self.assertEqual([], self.died)

    def test_a_bug_ends_it(self):
        class Broken(Kept):
            def __call__(self, notices, bookmark=None):
                raise ZeroDivisionError

        bound = self.start(Broken())
        self.send(bound["tcp"], b"<13>one\n")
        wait_for("it died", lambda: self.died)
        self.assertIsInstance(self.died[0], ZeroDivisionError)

    def test_further_connections_are_closed(self):
        bound = self.start(max_connections=1)
        with socket.create_connection(bound["tcp"][:2]) as first:
            first.sendall(b"<13>one\n")
            wait_for("the first is taken", lambda: self.kept.bodies)
            with socket.create_connection(bound["tcp"][:2]) as second:
                second.settimeout(60)
                with self.assertRaises(ConnectionResetError):
                    while second.recv(1):
                        pass
                    raise ConnectionResetError  # an orderly end will do
            first.sendall(b"<13>two\n")
            wait_for("the first still is", lambda: len(self.kept.bodies) == 2)

    def test_what_cannot_work_is_one_line(self):
        for expected, values in (
                ("are all empty", {"tcp": ""}),
                ("'nowhere'; expected HOST:PORT", {"tcp": "nowhere"}),
                ("expected HOST:PORT", {"udp": "host:99999"}),
                ("tls needs tls_cert_file", {"tls": "127.0.0.1:0"}),
                ("/nowhere.pem cannot be used: No such file",
                 {"tls": "127.0.0.1:0", "tls_cert_file": "/nowhere.pem"})):
            with self.subTest(expected), self.assertRaisesRegex(
                    Misconfigured, rf"^\[syslog\] [^\n]*{expected}"):
                syslog.SyslogSource(options(
                    "syslog", syslog.SyslogSource.OPTS, **values))

    def test_an_address_that_is_taken_stops_the_start(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            source = syslog.SyslogSource(options(
                "syslog", syslog.SyslogSource.OPTS, tcp=f"127.0.0.1:{port}"))
            with self.assertRaisesRegex(Misconfigured, (
                    rf"^\[syslog\] tcp is 127.0.0.1:{port}, on which nothing "
                    "can be taken: Address already in use")):
                source.check()
        source.check()


class TestWhose(unittest.TestCase):
    """S1: no sender chooses a tenant, unless the operator lets it."""

    def event(self, text: str, trusted="", project_id=None):
        body = syslog._notification(read(text.encode(), NOW), False, "peer",
                                    trusted, project_id)
        normaliser = Normaliser(Definitions.load([]), OPERATOR)
        return normaliser.normalise(body, "2026-01-02T02:04:05.000000Z",
                                    syslog.SOURCE)

    def test_it_is_the_operators_unless_told_otherwise(self):
        claims = (f'<13>1 - h a - - [p@1 project_id="{TENANT}" '
                  f'tenant_id="{TENANT}"] @cee: ' + json.dumps({
                      "project_id": TENANT, "msg": "x", "tenant_id": TENANT,
                      "initiator": {"project_id": TENANT},
                      "_context_project_id": TENANT}))
        event = self.event(claims)
        self.assertEqual((OPERATOR, True), (
            event["project_id"], event["marks"]["tenant_unknown"]))
        event = self.event(claims, project_id="2" * 32)
        self.assertEqual("2" * 32, event["project_id"])
        self.assertNotIn("tenant_unknown", event["marks"])
        self.assertEqual(TENANT, self.event(claims, "project_id",
                                            "2" * 32)["project_id"])

    def test_a_claim_that_is_no_project_is_not_believed(self):
        event = self.event('<13>1 - h a - - [p@1 project_id="../x"] y',
                           "project_id")
        self.assertEqual(OPERATOR, event["project_id"])

    def test_an_event_of_it(self):
        event = self.event(f"<11>1 2026-01-02T02:00:00Z node-7 Nova:API 12 "
                           f"M1 - [{REQUEST}] password=hunter2 is wrong")
        self.assertEqual(
            ("syslog.nova_api", "syslog", "host", "node-7", "ERROR", REQUEST,
             "2026-01-02T02:00:00.000000Z"),
            tuple(event[name] for name in (
                "event_type", "source", "resource_type", "resource_id",
                "priority", "request_id", "timestamp")))
        self.assertEqual(
            {"app": "Nova:API", "facility": "user", "severity": "err",
             "procid": "12", "msgid": "M1", "service": "Nova_API",
             "host": "node-7"}, event["traits"])
        self.assertNotIn("hunter2", json.dumps(event))
