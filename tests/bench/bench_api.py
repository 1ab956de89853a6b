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

"""What the API takes over HTTP, beside a bare loop without it.

In one run, with the same batches of events and the same bus: a loop in one
process that decodes each body, encodes each event and publishes the batch;
and ``monasca-events-api`` with one worker, asked over keep-alive connections,
which checks, completes and indexes besides. Then the time of a batch at half
of that rate.
"""

import argparse
from collections.abc import Sequence
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import orjson

from monasca_events_common import bus as buses
from monasca_events_common import config
from monasca_events_common import event as events
from tests.bench.sample import event
from tests.bench.sample import Missing
from tests.bench.sample import server

BATCH = 100
CONNECTIONS = 4
ROUNDS = 3


def bodies(count: int) -> list[bytes]:
    """Return bodies of BATCH events as an agent sends them."""
    rng = random.Random(1)
    now = events.format_time(datetime.datetime.now(datetime.timezone.utc))
    made = []
    for batch in range(count):
        items = []
        for number in range(BATCH):
            item = event(batch * BATCH + number, 4, rng)
            item["timestamp"] = item["received_at"] = now
            items.append(item)
        made.append(orjson.dumps({"events": items}))
    return made


def settings(folder: str, bus: str, port: int) -> str:
    """Return a configuration file's path."""
    lines = ["[bus]", f"driver = {bus}", "topic = bench-api",
             "[api]", f"port = {port}",
             "[sqlite_bus]", f"path = {folder}/bus.db",
             f"max_bytes = {1 << 40}",
             "[sqlite_store]", f"path = {folder}/events.db",
             "[database]", f"connection = sqlite:///{folder}/definitions.db",
             "[secrets]", f"key_file = {folder}/secrets.key",
             "[identity_local]", f"tokens_file = {folder}/tokens.json"]
    if bus != "sqlite":
        lines += ["[kafka_events]",
                  f"uri = {server('kafka')['bootstrap_servers']}"]
    path = pathlib.Path(folder, "bench.conf")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def bare(bus, topic: str, made: list[bytes],
         seconds: float) -> tuple[float, float]:
    """Return events a second of the loop without HTTP, and CPU s an event."""
    done = 0
    began, used = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        content = orjson.loads(made[done // BATCH % len(made)])
        records = []
        for item in content["events"]:
            records.append(buses.Record(
                item["project_id"].encode(), orjson.dumps(item),
                {"event_id": item["event_id"].encode(),
                 "event_type": item["event_type"].encode(),
                 "timestamp": item["timestamp"].encode(),
                 "schema": buses.SCHEMA}))
        bus.publish(topic, records)
        done += BATCH
    return (done / (time.monotonic() - began),
            (time.process_time() - used) / done)


def cpu_of_children(pid: int) -> float:
    """Return the CPU seconds that the workers of a process have used."""
    total = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class Load:
    """Connections that post batches, as fast as they can or at a pace."""

    def __init__(self, port: int, token: str, made: list[bytes]) -> None:
        self._port = port
        self._headers = {"Content-Type": "application/json",
                         "X-Auth-Token": token}
        self._bodies = made

    def run(self, seconds: float, pace: float | None = None
            ) -> tuple[float, list[float]]:
        """Return events a second and the seconds that each batch took.

        :param pace: batches a second, all connections together
        """
        took: list[float] = []
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=self._post, args=(
            number, until, pace, took)) for number in range(CONNECTIONS)]
        began = time.monotonic()
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return len(took) * BATCH / (time.monotonic() - began), took

    def _post(self, number, until, pace, took) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        link.connect()
        link.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.monotonic() + (number / pace if pace else 0)
        while (now := time.monotonic()) < until:
            if pace:
                time.sleep(max(0.0, due - now))
                now = due  # a late start counts as waiting
                due += CONNECTIONS / pace
            link.request("POST", "/v1.0/events",
                         self._bodies[(number + len(took)) % len(
                             self._bodies)], self._headers)
            answer = link.getresponse()
            content = answer.read()
            if answer.status != 202:
                raise SystemExit(f"{answer.status} {content[:300]!r}")
            took.append(time.monotonic() - now)
        link.close()


def wait(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the API did not start")


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--bus", default="sqlite",
                        choices=("sqlite", "kafka", "confluent"))
    arguments = parser.parse_args()
    seconds = 1.0 if arguments.short else 10.0
    made = bodies(10 if arguments.short else 50)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = settings(folder, arguments.bus, port)
        except Missing as missing:
            print(missing, file=sys.stderr)
            return 3
        conf = config.load(["--config-file", path], "bench")
        with open(f"{folder}/log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "monasca_events_api.command",
                 "--config-file", path], stdout=log, stderr=log)
        try:
            wait(port, process)
            accounts = json.loads(pathlib.Path(
                folder, "tokens.json").read_text(encoding="utf-8"))
            token = next(one["token"] for one in accounts["accounts"]
                         if one["name"] == "service")
            load = Load(port, token, made)
            load.run(1.0)
            rates, alone, api_cpu, bare_cpu = [], [], [], []
            with contextlib.closing(buses.get_bus(conf)) as bus:
                bare(bus, "bench-bare", made, 0.5)
                # In turns, for other work on the machine comes and goes.
                for _ in range(ROUNDS):
                    used = cpu_of_children(process.pid)
                    rate, took = load.run(seconds)
                    api_cpu.append((cpu_of_children(process.pid) - used)
                                   / (len(took) * BATCH))
                    rates.append(rate)
                    rate, cpu = bare(bus, "bench-bare", made, seconds)
                    alone.append(rate)
                    bare_cpu.append(cpu)
            rate = statistics.median(rates)
            _, took = load.run(seconds, rate / BATCH / 2)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    print(json.dumps({
        "bench": "api", "bus": arguments.bus, "batch": BATCH,
        "event_bytes": len(made[0]) // BATCH,
        "bare_per_second": round(statistics.median(alone)),
        "api_per_second": round(rate),
        "ratio": round(rate / statistics.median(alone), 3),
        "bare_cpu_us": round(1e6 * statistics.median(bare_cpu), 1),
        "api_cpu_us": round(1e6 * statistics.median(api_cpu), 1),
        "half_rate_p50_ms": round(1000 * percentile(took, 0.5), 1),
        "half_rate_p99_ms": round(1000 * percentile(took, 0.99), 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
