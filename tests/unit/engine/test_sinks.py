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

"""Metric sinks: what reaches the services, and what becomes of the rest."""

import contextlib
import io
import socket
import tempfile
import threading
import time
import unittest
from unittest import mock

import orjson
import sqlalchemy as sa

from monasca_events_common import metrics
from monasca_events_common.database import Database
from monasca_events_common.database.tables import MEASURES
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from monasca_events_engine import measures_command
from monasca_events_engine import sinks
from monasca_events_engine.measures import Measure
from monasca_events_engine.measures import row
from monasca_events_engine.pending import PARKED
from monasca_events_engine.pending import PendingMeasures
from monasca_events_engine.pusher import Line
from monasca_events_engine.pusher import Pusher
from monasca_events_engine.sinks.gnocchi import Gnocchi
from monasca_events_engine.sinks.gnocchi import resource
from monasca_events_engine.sinks.monasca import Monasca
from monasca_events_engine.sinks.monasca_kafka import envelope
from monasca_events_engine.sinks.statsd import Statsd
from tests.bench.sample import options
from tests.unit.engine import api
from tests.unit.engine.outgoing import PROJECT
from tests.unit.engine.outgoing import until
from tests.unit.engine.test_engine import EngineCase

OTHER = "b" * 32
AT = 1795341600.5


def measure(value: float = 7.5, **changed) -> Measure:
    return Measure(**{
        "name": "instance-create.duration", "kind": "histogram",
        "value": value, "at": AT, "labels": {"flavor": "m1.small"},
        "project_id": PROJECT, "resource_id": "vm-1", "event_ids": ("e",),
        **changed})


class ApiCase(unittest.TestCase):

    def play(self, answer) -> api.Api:
        played = api.Api(answer)
        self.addCleanup(played.close)
        return played


class TestMonasca(ApiCase):

    def test_each_projects_measures_are_posted_on_its_behalf(self):
        """B46"""
        played = self.play(lambda request: (204, None))
        sink = api.make(Monasca, endpoint=played.url + "/v2.0")
        self.assertEqual([], sink.push([
            measure(), measure(9, project_id=OTHER, resource_id=None)]))
        first, second = played.requests
        self.assertEqual(
            ("POST", "/v2.0/metrics", {"tenant_id": PROJECT}, [{
                "name": "instance-create.duration", "value": 7.5,
                "timestamp": 1795341600500, "value_meta": None,
                "dimensions": {"flavor": "m1.small", "resource_id": "vm-1"}}],
             "t0k3n"),
            (*first[:4], first.headers["X-Auth-Token"]))
        self.assertEqual({"tenant_id": OTHER}, second.query)

    def test_what_it_refuses_is_told_from_the_rest(self):
        def answer(request):
            bad = any(one["value"] < 0 for one in request.body)
            return (422, {"unprocessable_entity": {}}) if bad else (204, None)
        sink = api.make(Monasca, endpoint=self.play(answer).url)
        found = sink.push([measure(value) for value in (1, 2, -3, 4, -5)])
        self.assertEqual([2, 4], [one.position for one in found])
        self.assertIn("Monasca answered 422", found[0].reason)

    def test_many_go_in_several_requests(self):
        played = self.play(lambda request: (204, None))
        api.make(Monasca, endpoint=played.url, max_metrics=10).push(
            [measure(value) for value in range(25)])
        self.assertEqual([10, 10, 5], [len(one.body)
                                       for one in played.requests])

    def test_what_it_dislikes_in_names_is_replaced(self):
        played = self.play(lambda request: (204, None))
        api.make(Monasca, endpoint=played.url).push([measure(
            name="a{b}", labels={"image": "x<y>;&z", "empty": ""})])
        one, = played.requests[0].body
        self.assertEqual(("a_b_", {"image": "x_y_z", "resource_id": "vm-1"}),
                         (one["name"], one["dimensions"]))

    def test_errors_say_who_must_act(self):
        for status, expected in ((500, Unavailable), (429, Unavailable),
                                 (401, Misconfigured), (403, Misconfigured)):
            played = self.play(lambda request, status=status: (status, {}))
            sink = api.make(Monasca, endpoint=played.url)
            with self.subTest(status=status), self.assertRaises(expected):
                sink.push([measure()])
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            sink = api.make(Monasca, endpoint="http://127.0.0.1:"
                            f"{nobody.getsockname()[1]}")
            with self.assertRaisesRegex(Unavailable, "does not answer"):
                sink.push([measure()])

    def test_without_credentials_it_cannot_be_made(self):
        with self.assertRaisesRegex(Misconfigured,
                                    r"\[engine_auth\] auth_type"):
            api.make(Monasca)

    def test_on_kafka_it_is_an_envelope(self):
        self.assertEqual(
            {"metric": {"name": "instance-create.duration", "value": 7.5,
                        "timestamp": 1795341600500, "value_meta": None,
                        "dimensions": {"flavor": "m1.small",
                                       "resource_id": "vm-1"}},
             "meta": {"tenantId": PROJECT, "region": "R"},
             "creation_time": 7}, envelope(measure(), "R", 7))


class TestGnocchi(ApiCase):

    def test_an_unknown_resource_is_made_and_the_batch_posted_again(self):
        known = set()

        def answer(request):
            if request.path == "/v1/resource/generic":
                known.add(request.body["id"])
                return 201, {}
            missing = [{"resource_id": one, "original_resource_id": one}
                       for one in request.body if one not in known]
            if missing:
                return 400, {"description": {"cause": "Unknown resources",
                                             "detail": missing}}
            return 202, None
        played = self.play(answer)
        sink = api.make(Gnocchi, endpoint=played.url, archive_policy="low")
        self.assertEqual([], sink.push([measure(), measure(8, at=AT + 1)]))
        self.assertEqual(
            [("/v1/batch/resources/metrics/measures", None),
             ("/v1/resource/generic", {"id": "vm-1", "project_id": PROJECT}),
             ("/v1/batch/resources/metrics/measures", {
                 "vm-1": {"instance-create.duration": {
                     "archive_policy_name": "low", "measures": [
                         {"timestamp": "2026-11-22T10:00:00.500000+00:00",
                          "value": 7.5},
                         {"timestamp": "2026-11-22T10:00:01.500000+00:00",
                          "value": 8}]}}})],
            [(one.path, None if place == 0 else one.body)
             for place, one in enumerate(played.requests)])
        self.assertEqual({"create_metrics": "true"},
                         played.requests[0].query)

    def test_somebody_else_may_make_the_resource_meanwhile(self):
        answers = [(400, {"description": {
            "cause": "Unknown resources",
            "detail": [{"original_resource_id": "vm-1"}]}}),
            (409, {}), (202, None)]
        played = self.play(lambda request: answers.pop(0))
        self.assertEqual([], api.make(Gnocchi, endpoint=played.url).push(
            [measure()]))

    def test_one_that_it_refuses_is_told_from_the_rest(self):
        def answer(request):
            bad = "bad name" in request.body["vm-1"]
            return (400, {"description": "no"}) if bad else (202, None)
        found = api.make(Gnocchi, endpoint=self.play(answer).url).push([
            measure(), measure(name="bad name"), measure()])
        self.assertEqual([1], [one.position for one in found])

    def test_a_missing_archive_policy_is_the_operators_mistake(self):
        played = self.play(lambda request: (400, {
            "description": "Archive policy nope does not exist"}))
        with self.assertRaisesRegex(Misconfigured, "archive_policy"):
            api.make(Gnocchi, endpoint=played.url).push([measure()])

    def test_what_is_of_no_resource_has_one_by_project_and_labels(self):
        one = measure(resource_id=None)
        self.assertEqual(resource(one), resource(measure(
            9, resource_id=None)))
        for other in (measure(resource_id=None, project_id=OTHER),
                      measure(resource_id=None, labels={})):
            self.assertNotEqual(resource(one), resource(other))
        self.assertEqual("a_b", resource(measure(resource_id="a/b")))


class TestStatsd(unittest.TestCase):

    def setUp(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(20)

    def sink(self, **values) -> Statsd:
        sink = api.make(Statsd, port=self.socket.getsockname()[1], **values)
        self.addCleanup(sink.close)
        return sink

    def test_timers_counters_and_gauges_with_tags(self):
        self.sink().push([
            measure(), measure(3, kind="counter", name="a.finished",
                               resource_id=None, labels={}),
            measure(0.5, kind="gauge", name="load", resource_id=None,
                    labels={"image": "a,b|c d"})])
        self.assertEqual(
            ["monasca_events.instance-create.duration:7500|ms|#project_id:"
             f"{PROJECT},flavor:m1.small,resource_id:vm-1",
             f"monasca_events.a.finished:3|c|#project_id:{PROJECT}",
             f"monasca_events.load:0.5|g|#project_id:{PROJECT},image:a_b_c_d"
             ], self.socket.recv(65536).decode().split("\n"))

    def test_plain_statsd_has_labels_in_its_names(self):
        self.sink(tags=False, prefix="p").push([measure()])
        self.assertEqual(b"p.instance-create.duration.m1_small:7500|ms",
                         self.socket.recv(65536))

    def test_a_datagram_is_no_longer_than_networks_carry(self):
        self.sink().push([measure(value) for value in range(50)])
        count = 0
        while count < 50:
            datagram = self.socket.recv(65536)
            self.assertLessEqual(len(datagram), 1400)
            count += len(datagram.split(b"\n"))
        self.assertEqual(50, count)


class Told(sinks.Sink):
    """A sink that does what a test tells it."""

    def __init__(self, does=lambda measures: ()) -> None:
        self.does = does
        self.got: list[list[float]] = []

    def push(self, measures):
        self.got.append([one.value for one in measures])
        return self.does(measures)


class PushingCase(EngineCase):

    def setUp(self):
        self.database = Database(self.make_database())
        self.addCleanup(self.database.close)
        self.database.upgrade()
        self.conf = options(sinks.OPTS, interval=0.05, backoff=0.01,
                            breaker_seconds=0.01)
        self.pending = PendingMeasures(self.database, "me")
        self.now = 1000.0

    def set(self, **values) -> None:
        for name, value in values.items():
            self.conf._conf.set_override(name, value, group="x")

    def add(self, *values: float, sink: str = "told", created_at=0.0) -> None:
        with self.database.begin() as connection:
            connection.execute(MEASURES.insert(), [row(
                f"{sink:4.4}{value:12.3f}".encode(), sink, orjson.dumps(
                    {"name": "n", "kind": "counter", "value": value,
                     "at": 0.0, "labels": {}, "project_id": PROJECT,
                     "resource_id": None}
                ).decode(), created_at + place)
                for place, value in enumerate(values)])

    def rows(self) -> list:
        with self.database.read() as connection:
            return connection.execute(sa.select(MEASURES).order_by(
                MEASURES.c.created_at)).mappings().all()

    def line(self, sink, name: str = "told") -> Line:
        return Line(name, self.conf, self.pending, lambda: sink,
                    lambda: self.now)


class TestLine(PushingCase):

    def test_what_was_pushed_is_gone(self):
        self.add(1, 2, 3)
        sink = Told()
        line = self.line(sink)
        self.set(batch_size=2)
        self.assertEqual([0.0, 0.0, self.conf.interval],
                         [line.step() for _ in range(3)])
        self.assertEqual([[1, 2], [3]], sink.got)
        self.assertEqual([], self.rows())

    def test_another_sinks_measures_are_not_touched(self):
        self.add(1)
        self.add(2, sink="else")
        sink = Told()
        self.line(sink).step()
        self.assertEqual([[1]], sink.got)
        self.assertEqual(1, len(self.rows()))

    def test_a_refused_one_is_parked_and_counted(self):
        """Design 4: poison never blocks."""
        self.add(1, 2)
        self.line(Told(lambda found: [sinks.Refusal(1, "no\nsuch")])).step()
        one, = self.rows()
        self.assertEqual((PARKED, "no\\u000asuch"),
                         (one["next_at"], one["last_error"]))
        self.assertEqual({"told": (0, 1)}, self.pending.counts())
        self.assertEqual(1, self.pending.retry("told"))
        sink = Told()
        self.line(sink).step()
        self.assertEqual([[2]], sink.got)

    def test_a_service_that_is_down_costs_no_attempt(self):
        def away(_measures):
            raise Unavailable("away", retry_after=30)
        self.set(breaker_failures=100)
        self.add(1)
        sink = Told(away)
        line = self.line(sink)
        for _ in range(20):
            line.step()
            self.now += 61
        self.assertGreater(len(sink.got), 5)
        self.assertEqual(0, self.rows()[0]["attempts"])
        sink.does = lambda measures: ()
        until("it is pushed", lambda: line.step() and not self.rows())

    def test_after_some_failures_it_is_left_alone(self):
        """F20"""
        def away(_measures):
            raise Misconfigured("wrong password")
        self.set(breaker_failures=2, breaker_seconds=1000.0)
        self.add(1)
        sink = Told(away)
        line = self.line(sink)
        for _ in range(5):
            self.assertGreaterEqual(line.step(), 0)
            self.now += 100
        self.assertEqual(2, len(sink.got))
        self.assertGreater(line.step(), 900)

    def test_one_that_breaks_the_sink_is_parked_and_the_others_go(self):
        """R2"""
        def bug(measures):
            if 2 in [one.value for one in measures]:
                raise RuntimeError("bug")
            return ()
        self.set(max_attempts=3)
        self.add(1, 2, 3)
        line = self.line(Told(bug))
        with self.assertLogs("monasca_events_engine", "ERROR"):
            for _ in range(6):
                line.step()
                self.now += 100
        one, = self.rows()
        self.assertEqual((PARKED, 3, "RuntimeError: bug"),
                         (one["next_at"], one["attempts"],
                          one["last_error"]))

    def test_what_could_not_be_written_down_is_not_pushed_again(self):
        self.add(1)
        sink = Told()
        line = self.line(sink)
        with mock.patch.object(self.pending, "settle",
                               side_effect=Unavailable("away")):
            self.assertEqual(self.conf.interval, line.step())
        self.assertEqual(1, len(self.rows()))
        line.step()
        self.assertEqual([], self.rows())
        self.assertEqual([[1]], sink.got)

    def test_a_dead_engines_measures_are_pushed_when_its_lease_ends(self):
        """F4"""
        self.add(1)
        PendingMeasures(self.database, "dead").claim("told", self.now,
                                                     self.now + 60, 10)
        sink = Told()
        line = self.line(sink)
        line.step()
        self.assertEqual([], sink.got)
        self.now += 61
        line.step()
        self.assertEqual([[1]], sink.got)

    def test_two_engines_never_have_the_same_one_in_hand(self):
        self.add(*range(100))
        other = PendingMeasures(self.database, "other")
        taken = [one.id for _ in range(10) for pending in
                 (self.pending, other)
                 for one in pending.claim("told", 1.0, 60.0, 7)]
        self.assertEqual(100, len(taken))
        self.assertEqual(100, len(set(taken)))


class TestPusher(PushingCase):

    def test_the_list_of_sinks_is_followed_while_running(self):
        """D21"""
        made = {"a": Told(), "b": Told()}
        pusher = Pusher(self.database, self.conf, made.__getitem__)
        self.set(enabled=["a"])
        self.add(1, sink="a")
        self.add(2, sink="b")
        stop = threading.Event()
        thread = threading.Thread(target=pusher.run, args=(stop,))
        thread.start()
        try:
            until("a has it", lambda: made["a"].got == [[1]])
            self.assertEqual([], made["b"].got)
            self.set(enabled=["b"])
            until("b has it", lambda: made["b"].got == [[2]])
        finally:
            stop.set()
            thread.join(60)
        self.assertFalse(thread.is_alive())

    def test_one_that_cannot_be_made_stops_no_other(self):
        sink = Told()

        def make(name):
            if name == "bad":
                raise Misconfigured("no such thing")
            return sink
        before = metrics.BROKEN.labels("bad")._value.get()
        self.set(enabled=["bad", "good"])
        self.add(1, sink="good")
        stop = threading.Event()
        thread = threading.Thread(target=Pusher(
            self.database, self.conf, make).run, args=(stop,))
        with self.assertLogs("monasca_events_engine", "ERROR") as logged:
            thread.start()
            try:
                until("the other has it", lambda: sink.got)
                until("it is counted", lambda: metrics.BROKEN.labels(
                    "bad")._value.get() > before)
            finally:
                stop.set()
                thread.join(60)
        self.assertIn("no such thing", logged.output[0])

    def test_of_too_many_the_oldest_are_dropped_and_counted(self):
        """Design 4: no silent caps."""
        self.set(max_waiting=1000)
        self.add(*range(1300))
        before = metrics.DROPPED.labels("measures", "too_many_waiting")
        count = before._value.get()
        Pusher(self.database, self.conf, None).sweep()
        self.assertEqual(count + 300, before._value.get())
        left = self.rows()
        self.assertEqual((1000, 300), (len(left), left[0]["created_at"]))

    def test_what_was_parked_too_long_is_dropped_and_counted(self):
        self.add(1, 2, created_at=time.time())
        self.pending.claim("told", 1.0, 2.0, 10)
        self.pending.settle([], {one["id"]: (PARKED, 0, "no")
                                 for one in self.rows()})
        counter = metrics.DROPPED.labels("measures", "parked_too_long")
        before = counter._value.get()
        now = time.time()
        Pusher(self.database, self.conf, None, lambda: now).sweep()
        self.assertEqual(2, len(self.rows()))
        Pusher(self.database, self.conf, None,
               lambda: now + 15 * 86400).sweep()
        self.assertEqual([], self.rows())
        self.assertEqual(before + 2, counter._value.get())


class TestCommand(PushingCase):

    def run_command(self, *arguments: str) -> str:
        url = self.database.engine.url.render_as_string(hide_password=False)
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(f"[database]\nconnection = {url}\n")
            file.flush()
            with contextlib.redirect_stdout(io.StringIO()) as said:
                status = measures_command.start(
                    ["--config-file", file.name, *arguments])
        self.assertEqual(0, status)
        return said.getvalue()

    def test_parked_measures_are_shown_pushed_again_and_forgotten(self):
        """R2"""
        self.add(1, 2)
        self.pending.claim("told", 1.0, 2.0, 10)
        self.pending.settle([], {one["id"]: (PARKED, 0, "no\x1b[31m")
                                 for one in self.rows()[:1]})
        self.assertEqual("told: 1 wait, 1 parked\n",
                         self.run_command("count"))
        self.assertIn(f"n  1  {PROJECT}  -  no\\u001b[31m\n",
                      self.run_command("list", "told"))
        self.assertIn("1 measures", self.run_command("retry", "told"))
        self.assertEqual("told: 2 wait, 0 parked\n",
                         self.run_command("count"))
        self.assertIn("0 measures", self.run_command("purge", "told"))
