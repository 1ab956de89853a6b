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

"""The agent, RabbitMQ → spool and → API, against oslo.messaging's listener.

In one run, on the same notifications, each contender in a process of its own
and each with a queue that was filled before: oslo.messaging's batch listener
that throws everything away; our agent with the source ``notifications`` and
with the source ``amqp``, normalising, redacting and spooling with every batch
synced to disk, without and with a poster that posts to a sink on loopback;
and Ceilometer's notification agent, in an environment of its own, whose event
pipeline writes to a file. Rates are from the first batch to the last. Run as
``python -m tests.bench.bench_agent [--short]``.
"""

import argparse
from collections.abc import Callable
import contextlib
import http.server
import itertools
import json
import multiprocessing
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from urllib import parse
import uuid

import amqp
from oslo_config import cfg
import orjson

from tests.bench import ceilometer_agent
from tests.bench.notifications import generated
from tests.bench.sample import Missing
from tests.bench.sample import server

EXCHANGE = "monasca_events_bench"
PREFETCH = 500
PATIENCE = 300
NOBODY = "http://127.0.0.1:9"

#: name → (source, whether it posts)
AGENTS = {"notifications_spool": ("notifications", False),
          "notifications_api": ("notifications", True),
          "amqp_spool": ("amqp", False), "amqp_api": ("amqp", True)}

_CLASSES = {"notifications": "notifications",
            "amqp": "monasca_events_agent.sources.amqp:AmqpSource"}

_CONFIG = """
[agent]
sources = {source}
operator_project_id = 00000000000000000000000000000000
[notifications]
transport_url = {url}
topics = {topic}
exchanges = {exchange}
prefetch = {prefetch}
[spool]
path = {home}/spool/spool.db
[dead_letters]
connection = sqlite:///{home}/dead.db
[poster]
endpoints = {sink}
[api_auth]
auth_type = none
"""


class Clock:
    """Takes the time of the first and of the last of some things."""

    def __init__(self, count: int) -> None:
        self.done = threading.Event()
        self._count = count
        self._first: tuple[float, int] | None = None
        self._seen = 0
        self.rate = 0.0

    def saw(self, number: int) -> None:
        now = time.perf_counter()
        self._seen += number
        if self._first is None:
            self._first = now, number
        if self._seen >= self._count:
            begun, first = self._first
            self.rate = (self._seen - first) / (now - begun)
            self.done.set()


# -- the queue ------------------------------------------------------------


def fill(url: str, topic: str, bodies: list[bytes]) -> None:
    """Put the bodies into the queue of the topic's INFO notifications."""
    broker = parse.urlsplit(url)
    connection = amqp.Connection(f"{broker.hostname}:{broker.port}",
                                 userid=broker.username,
                                 password=broker.password)
    connection.connect()
    channel = connection.channel()
    queue = f"{topic}.info"
    channel.exchange_declare(EXCHANGE, "topic", durable=True,
                             auto_delete=False)
    channel.queue_declare(queue, durable=True, auto_delete=False)
    channel.queue_bind(queue, EXCHANGE, queue)
    for body in bodies:
        channel.basic_publish(amqp.Message(
            body, content_type="application/json", delivery_mode=2,
            content_encoding="utf-8"), EXCHANGE, queue)
    while channel.queue_declare(queue, passive=True).message_count < len(
            bodies):
        time.sleep(0.1)
    # Let the broker finish writing before anybody is timed.
    time.sleep(1)
    connection.close()


def forget(url: str, topic: str) -> None:
    broker = parse.urlsplit(url)
    connection = amqp.Connection(f"{broker.hostname}:{broker.port}",
                                 userid=broker.username,
                                 password=broker.password)
    connection.connect()
    channel = connection.channel()
    for priority in ("audit", "debug", "info", "warn", "error", "critical",
                     "sample"):
        channel.queue_delete(f"{topic}.{priority}")
    connection.close()


def envelopes(count: int) -> list[bytes]:
    """Return notifications as oslo.messaging's driver puts them on the
    wire, each with an id of its own."""
    made = []
    for one in itertools.islice(itertools.cycle(generated(2000)), count):
        inner = {**one, "message_id": str(uuid.uuid4()),
                 "_unique_id": uuid.uuid4().hex}
        made.append(json.dumps({"oslo.version": "2.0",
                                "oslo.message": json.dumps(inner)}).encode())
    return made


# -- the contenders, each in its process ---------------------------------


def listen(arguments: argparse.Namespace) -> dict:
    """oslo.messaging's batch listener, which forgets what it got."""
    import oslo_messaging
    clock = Clock(arguments.count)

    class Endpoint:
        def info(self, messages):
            clock.saw(len(messages))
        audit = debug = warn = error = critical = sample = info
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    transport = oslo_messaging.get_notification_transport(
        conf, f"{arguments.url}?rabbit_qos_prefetch_count={PREFETCH}"
        "&amqp_durable_queues=true")
    listener = oslo_messaging.get_batch_notification_listener(
        transport, [oslo_messaging.Target(topic=arguments.topic,
                                          exchange=EXCHANGE)],
        [Endpoint()], batch_size=PREFETCH, batch_timeout=0.05)
    begun = time.process_time()
    listener.start(override_pool_size=1)
    _await(clock)
    return _said(clock, arguments.count, time.process_time() - begun)


def collect(arguments: argparse.Namespace) -> dict:
    """Our agent, its collector here and its sender in a process of its own,
    as the daemon has them, with a sink in another one."""
    from monasca_events_agent import agent
    from monasca_events_common.daemon import spare_collector
    clock = Clock(arguments.count)
    source, posts = AGENTS[arguments.role]
    with tempfile.TemporaryDirectory() as home:
        file = pathlib.Path(home) / "agent.conf"
        file.write_text(_CONFIG.format(
            source=_CLASSES[source], url=arguments.url, home=home,
            topic=arguments.topic, exchange=EXCHANGE, prefetch=PREFETCH,
            sink=arguments.sink if posts else NOBODY))
        posted, tell = multiprocessing.Pipe(duplex=False)
        sender = multiprocessing.get_context("fork").Process(
            target=send, args=(file, tell))
        sender.start()
        if posts:
            threading.Thread(target=follow, args=(posted, clock),
                             daemon=True).start()
        else:
            watch("append", clock.saw)
        made = agent.make_collector(configuration(file))
        spare_collector()
        stop = threading.Event()
        thread = threading.Thread(target=made, args=(stop,), daemon=True)
        begun = time.process_time()
        thread.start()
        _await(clock)
        spent = time.process_time() - begun
        sender.terminate()
        sender.join()
        stop.set()
        thread.join()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return _said(clock, arguments.count,
                 spent + children.ru_utime + children.ru_stime)


def send(file: pathlib.Path, tell) -> None:
    """Run the sender, and tell of the events that the API has."""
    from monasca_events_agent import agent
    from monasca_events_common.daemon import spare_collector
    watch("remove", tell.send)
    made = agent.make_sender(configuration(file))
    spare_collector()
    made(threading.Event())


def follow(posted, clock: Clock) -> None:
    with contextlib.suppress(EOFError):
        while True:
            clock.saw(posted.recv())


def configuration(file: pathlib.Path):
    from monasca_events_agent import agent
    from monasca_events_common import config
    return config.load(["--config-file", str(file)], "bench", agent.GROUPS)


def watch(name: str, saw: Callable[[int], object]) -> None:
    """Have the number of events told after each call of a spool's method."""
    from monasca_events_agent.spool import Spool
    inner = getattr(Spool, name)

    def watched(self, events, *rest):
        inner(self, events, *rest)
        saw(len(events))
    setattr(Spool, name, watched)


def sink(_arguments: argparse.Namespace) -> None:
    """An API that takes everything; prints its URL."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            count = len(orjson.loads(body)["events"])
            answer = json.dumps({"accepted": count, "rejected": [],
                                 "event_ids": []}).encode()
            self.send_response(202)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{made.server_port}", flush=True)
    made.serve_forever()


def _said(clock: Clock, count: int, spent: float) -> dict:
    return {"per_s": round(clock.rate), "per_cpu_s": round(count / spent)}


def _await(clock: Clock) -> None:
    if not clock.done.wait(PATIENCE):
        raise SystemExit(f"not done after {PATIENCE} s")


# -- the run ------------------------------------------------------------------


def measure(role: str, url: str, sink_url: str, bodies: list[bytes]
            ) -> dict:
    """Fill a queue, start a contender, return what it says."""
    topic = f"bench_{os.getpid()}_{role}"
    fill(url, topic, bodies)
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.bench.bench_agent",
             "--role", role, "--url", url, "--topic", topic, "--sink",
             sink_url, "--count", str(len(bodies))],
            stdout=subprocess.PIPE, text=True, check=True,
            timeout=PATIENCE + 60)
    finally:
        forget(url, topic)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{role}: {found}", file=sys.stderr, flush=True)
    return found


def ceilometer(url: str, bodies: list[bytes]) -> float:
    """Return the rate of Ceilometer's notification agent."""
    topic = f"bench_{os.getpid()}_ceilometer"
    fill(url, topic, bodies)
    try:
        found = ceilometer_agent.rate(url, topic, EXCHANGE, len(bodies),
                                      PREFETCH, PATIENCE)
    finally:
        forget(url, topic)
    print(f"ceilometer: {found:.0f}", file=sys.stderr, flush=True)
    return found


def compare(arguments: argparse.Namespace) -> dict:
    url = arguments.url or server("rabbitmq")["transport_url"]
    count = arguments.count or (4000 if arguments.short else 40000)
    bodies = envelopes(count)
    with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bench_agent", "--role",
             "sink"], stdout=subprocess.PIPE, text=True) as process:
        try:
            sink_url = process.stdout.readline().strip()
            rates = {role: measure(role, url, sink_url, bodies)
                     for role in ("listener", *AGENTS)}
        finally:
            process.terminate()
    # It is slower, so that fewer do.
    peer = ceilometer(url, bodies[:count // 3])
    # By CPU time too: on a machine that others use, it is the one that says
    # something.
    return {
        "bench": "agent", "notifications": count,
        "bytes_each": sum(map(len, bodies)) // count,
        **{f"{role}_{unit}": rate for role, found in rates.items()
           for unit, rate in found.items()},
        **{f"ratio_{role}{suffix}": round(
            rates[role][unit] / rates["listener"][unit], 2)
           for role in AGENTS
           for suffix, unit in (("", "per_s"), ("_cpu", "per_cpu_s"))},
        "ceilometer_per_s": round(peer),
        **{f"ratio_{role}_to_ceilometer": round(
            rates[role]["per_s"] / peer, 2) for role in AGENTS}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="a few seconds, to see that it works")
    parser.add_argument("--count", type=int, help="notifications")
    parser.add_argument("--url", help="a RabbitMQ (default: one of the "
                                      "servers tool)")
    for name in ("role", "topic", "sink"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "sink":
        sink(arguments)
    if arguments.role:
        found = (listen if arguments.role == "listener"
                 else collect)(arguments)
        print(json.dumps(found), flush=True)
        # Not through the interpreter's end: threads of the library wait.
        os._exit(0)
    try:
        print(json.dumps(compare(arguments)))
    except Missing as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
