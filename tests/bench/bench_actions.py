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

"""Time from handing a delivery over to its request reaching the receiver.

One dispatcher in this process, on SQLite, with the webhook action as it is;
the receiver is a process of its own on loopback, which notes when a request's
body is complete. Deliveries are handed over one by one at an even rate, each
committed before, as the engine does; then as many as there are at once, for
the rate. The ratio is to the 500 ms that a notification may take to its
webhook altogether. Run as
``python -m tests.bench.bench_actions [--rate 500] [--seconds 20] [--short]``.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping
import json
import multiprocessing
import pathlib
import sys
import tempfile
import time

from monasca_events_common.catalog import signing
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from tests.integration import delivering
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import firing_row
from tests.unit.engine.outgoing import method
from tests.unit.engine.outgoing import row
from tests.unit.engine.outgoing import Running
from tests.unit.engine.outgoing import Table

WANTED_MS = 500


def delivery_id(fields: Mapping[str, str], _body: bytes) -> str:
    """Return what a request is the delivery of."""
    return fields["webhook-id"]


def receive(pipe, name_of: Callable[[Mapping[str, str], bytes], str]
            = delivery_id) -> None:
    """Answer every request with 200; tell when each came, by its name.

    :param name_of: names a request by its headers and its body
    """
    arrived: dict[str, float] = {}

    async def serve(reader, writer) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.split(": ", 1)
                              for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(
                    int(fields["Content-Length"]))
                now = time.monotonic()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                arrived.setdefault(name_of(fields, body), now)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, pipe.recv) != "end":
            pipe.send(dict(arrived))

    asyncio.run(run())


class Course:
    """A dispatcher, its database and a receiver."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.database = Database(f"sqlite:///{folder}/events.db")
        self.database.upgrade()
        secrets = Secrets(folder / "key", make=True)
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=receive, args=(theirs,), daemon=True)
        self.process.start()
        port = self.pipe.recv()
        self.running = Running(
            self.database, secrets,
            {"webhook": delivering.webhook(self.database, port)}, threads=32,
            poll_interval=1.0)
        self.method_id = method(
            self.running.catalog, secrets, kind="webhook",
            address=f"http://127.0.0.1:{port}/", keys=[signing.make_key()])
        self.running.start()
        self.table = Table(self.database)

    def commit(self, count: int) -> tuple[list[dict], list[dict]]:
        """Commit deliveries of one firing; return what is handed over."""
        now, content = time.time(), firing()
        rows = [row(content, now, action="webhook", method_id=self.method_id,
                    lease_owner=self.running.dispatcher.owner,
                    lease_until=now + 60) for _ in range(count)]
        self.table.insert(rows, content)
        return rows, [firing_row(content, now)]

    def arrived(self) -> dict[str, float]:
        self.pipe.send("tell")
        return self.pipe.recv()

    def await_count(self, count: int) -> dict[str, float]:
        while len(found := self.arrived()) < count:
            time.sleep(0.02)
        return found

    def paced(self, rate: float, seconds: float) -> list[float]:
        """Return ms from wake() to arrival, of each delivery."""
        handed: dict[str, float] = {}
        before = len(self.arrived())
        start = time.monotonic()
        for number in range(int(rate * seconds)):
            wait = start + number / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            rows, firings = self.commit(1)
            handed[rows[0]["delivery_id"]] = time.monotonic()
            self.running.dispatcher.wake(rows, firings)
        found = self.await_count(before + len(handed))
        return sorted((found[one] - at) * 1000
                      for one, at in handed.items())

    def burst(self, count: int) -> float:
        """Return deliveries a second where all are there at once."""
        before = len(self.arrived())
        batches = [self.commit(count // 20) for _ in range(20)]
        start = time.monotonic()
        for one in batches:
            self.running.dispatcher.wake(*one)
        self.await_count(before + count)
        return count / (time.monotonic() - start)

    def close(self) -> None:
        self.running.close()
        self.pipe.send("end")
        self.process.join(5)
        self.database.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true",
                        help="two seconds only")
    parser.add_argument("--rate", type=float, default=500.0,
                        help="deliveries a second (500)")
    parser.add_argument("--seconds", type=float, help="how long (20)")
    arguments = parser.parse_args()
    seconds = arguments.seconds or (2.0 if arguments.short else 20.0)
    with tempfile.TemporaryDirectory() as folder:
        course = Course(pathlib.Path(folder))
        try:
            course.paced(50, 0.5)
            times = course.paced(arguments.rate, seconds)
            rate = course.burst(800 if arguments.short else 8000)
        finally:
            course.close()

    def at(share: float) -> float:
        return round(times[min(len(times) - 1, int(len(times) * share))], 2)
    print(json.dumps({
        "bench": "actions", "deliveries": len(times),
        "rate_wanted": arguments.rate, "p50_ms": at(0.5), "p95_ms": at(0.95),
        "p99_ms": at(0.99), "max_ms": at(1.0),
        "burst_per_second": round(rate),
        "ratio_wanted_to_p99": round(WANTED_MS / at(0.99), 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
