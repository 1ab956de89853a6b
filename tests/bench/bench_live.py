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


"""What streams of live events cost those who post.

One worker of ``monasca-events-api`` takes batches as fast as it can, in turns
without any stream and with many, on the same connections and bus. The streams
are of four projects, as the events are; each follows one resource, or one
event type, or everything. A process of its own reads them.
"""

import argparse
import json
import multiprocessing
import pathlib
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from tests.bench import bench_api

TENANTS = 4
ROUNDS = 3

#: What the streams follow, by what they are called in the answer.
WANTED = {"resource": "resource_id=r{number}",
          "type": "event_type=compute.instance.create.end",
          "everything": ""}


def read(port: int, token: str, count: int, query: str, told) -> None:
    """Open streams, say so, and read them until the process is ended."""
    poll = selectors.DefaultSelector()
    for number in range(count):
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        filters = query.format(number=number)
        sock.sendall((
            f"GET /v1.0/events/stream?project_id={number % TENANTS:032x}"
            f"{'&' if filters else ''}{filters} HTTP/1.1\r\n"
            f"Host: events\r\nX-Auth-Token: {token}\r\n\r\n").encode())
        answer = sock.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            told.send(answer.decode(errors="replace")[:500])
            return
        sock.setblocking(False)
        poll.register(sock, selectors.EVENT_READ)
    told.send("")
    took = 0
    while True:
        for key, _ in poll.select(0.2):
            took += len(key.fileobj.recv(1 << 20))
        if told.poll():
            told.recv()
            told.send(took)


class Readers:
    """Streams that are open while the block is entered."""

    def __init__(self, port: int, token: str, count: int, query: str) -> None:
        self._told, other = multiprocessing.Pipe()
        self._process = multiprocessing.Process(
            target=read, args=(port, token, count, query, other), daemon=True)

    def __enter__(self) -> "Readers":
        self._process.start()
        said = self._told.recv()
        if said:
            raise SystemExit(f"a stream was refused: {said}")
        return self

    def bytes(self) -> int:
        """Return how much they have read."""
        self._told.send("how much")
        return self._told.recv()

    def __exit__(self, *_error) -> None:
        self._process.kill()
        self._process.join()
        # The API notices when it writes.
        time.sleep(1.5)


def settings(folder: str, port: int, count: int) -> str:
    """Return a configuration file's path."""
    path = bench_api.settings(folder, "sqlite", port)
    with open(path, "a", encoding="utf-8") as file:
        # Those of the round before may not have been noticed to be gone.
        file.write(f"[live]\nmax_streams = {4 * count}\nheartbeat = 1\n"
                   f"streams_of_project = {4 * count}\nidle = 3600\n")
    return path


def measure(load: bench_api.Load, process: subprocess.Popen, port: int,
            admin: str, count: int, seconds: float) -> dict:
    """Return rates without streams and with each kind of them."""
    rates: dict[str, list[float]] = {"none": []}
    used: dict[str, list[float]] = {"none": []}
    took = 0

    def run(name: str) -> None:
        cpu = bench_api.cpu_of_children(process.pid)
        rate, took = load.run(seconds)
        rates.setdefault(name, []).append(rate)
        used.setdefault(name, []).append(
            (bench_api.cpu_of_children(process.pid) - cpu)
            / (len(took) * bench_api.BATCH))

    # In turns, for other work on the machine comes and goes.
    for _ in range(ROUNDS):
        for name, query in WANTED.items():
            run("none")
            with Readers(port, admin, count, query) as readers:
                run(name)
                took = readers.bytes()
    without = statistics.median(rates["none"])
    return {
        "without_per_second": round(without),
        **{f"{name}_per_second": round(statistics.median(rates[name]))
           for name in WANTED},
        **{f"{name}_ratio": round(statistics.median(rates[name]) / without, 3)
           for name in WANTED},
        **{f"{name}_cpu_us": round(1e6 * statistics.median(used[name]), 1)
           for name in ("none", *WANTED)},
        "everything_read_mib": round(took / 2 ** 20)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--streams", type=int, default=200)
    arguments = parser.parse_args()
    count = 8 if arguments.short else arguments.streams
    seconds = 0.5 if arguments.short else 8.0
    made = bench_api.bodies(10 if arguments.short else 50)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path = settings(folder, port, count)
        with open(f"{folder}/log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "monasca_events_api.command",
                 "--config-file", path], stdout=log, stderr=log)
        try:
            bench_api.wait(port, process)
            tokens = {one["name"]: one["token"] for one in json.loads(
                pathlib.Path(folder, "tokens.json").read_text(
                    encoding="utf-8"))["accounts"]}
            load = bench_api.Load(port, tokens["service"], made)
            load.run(1.0)
            found = measure(load, process, port, tokens["admin"], count,
                            seconds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    print(json.dumps({"bench": "live", "streams": count,
                      "batch": bench_api.BATCH, **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
