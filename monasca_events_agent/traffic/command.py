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


"""``monasca-events-generate``: sends a made-up cloud's notifications.

With several processes each makes the whole stream, which is cheap, and sends
the lifecycles that fall to it, so that what is sent does not depend on how
many processes send it.
"""

import argparse
from collections.abc import Iterator
import contextlib
import datetime
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings

from monasca_events_agent.traffic import arguments
from monasca_events_agent.traffic import lifecycles
from monasca_events_agent.traffic import poison
from monasca_events_agent.traffic import truth
from monasca_events_common.errors import Misconfigured

# oslo.messaging brings in eventlet, which warns of itself when imported.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")

from monasca_events_agent.traffic import sender  # noqa: E402
from monasca_events_agent.traffic.run import Counts  # noqa: E402
from monasca_events_agent.traffic.run import Run  # noqa: E402

_PROGRESS = 10.0
_GLANCE = 0.2


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code: 0, 1 for a failure, 2 for a
    wrong command line."""
    given = arguments.parse(sys.argv[1:] if argv is None else argv, _now())
    _log_lines()
    with _stop_on_signals() as stop:
        return _run(given, stop)


def _run(given: argparse.Namespace, stop: threading.Event) -> int:
    try:
        if given.truth and os.path.exists(given.truth):
            raise Misconfigured(f"{given.truth} is there already; a truth "
                                "file is of one run, name another")
        journal = truth.Journal(given.truth) if given.truth else None
        counts = (_work(given, journal, 0, stop) if given.processes == 1
                  else _share_out(given, journal, stop))
    except Misconfigured as error:
        print(f"{arguments.PROG}: {error}", file=sys.stderr)
        return 1
    if journal:
        journal.summary(_summary(given, counts, stop.is_set()))
        journal.close()
    if counts.sent and not given.quiet:
        print(_told(given, counts), file=sys.stderr)
    if counts.error:
        print(f"{arguments.PROG}: {_one_line(counts.error)}{_advice(counts)}",
              file=sys.stderr)
        return 1
    return 0


def _work(given: argparse.Namespace, journal, share: int,
          stop: threading.Event) -> Counts:
    """Send one process's share."""
    lanes = given.connections or (1 if given.file else 8)
    senders = [_sender(given) for _ in range(lanes)]
    items = _items(given, share)
    if given.precompute:
        items = iter(list(items))
    run = Run(senders, journal, rate=given.rate, seconds=given.seconds,
              stop=stop)
    ended = threading.Event()
    if not given.quiet:
        threading.Thread(target=_report,
                         args=(run, share, given.processes, ended),
                         daemon=True, name="report").start()
    try:
        return run.drive(items)
    finally:
        ended.set()
        for each in senders:
            each.close()


def _sender(given: argparse.Namespace) -> "sender.Sender":
    if given.file:
        return sender.to_file(given.file)
    return sender.to_rabbitmq(given.transport_url, given.topic,
                              given.exchange, tuple(given.config_file),
                              given.queues)


def _items(given: argparse.Namespace, share: int) -> Iterator[tuple]:
    """Yield (place in the stream, item) of what falls to one process."""
    stream = lifecycles.stream(given.seed, given.tenants, given.options,
                               _now if given.live else None)
    if given.poison:
        stream = poison.mixed(stream, given.poison, given.seed,
                              in_file=bool(given.file),
                              canaries=given.canaries)
    # The lanes of a process take lifecycles by their remainder as well.
    many = given.processes
    for number, item in enumerate(stream):
        if item.life // 64 % many == share if many > 1 else True:
            yield number, item


def _share_out(given: argparse.Namespace, journal,
               stop: threading.Event) -> Counts:
    """Have several processes send; return what they did together."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    children = [context.Process(target=_child,
                                args=(given, journal, share, results))
                for share in range(given.processes)]
    for child in children:
        child.start()
    told = False
    while any(child.is_alive() for child in children):
        if stop.is_set() and not told:
            told = True
            for child in children:
                child.terminate()
        for child in children:
            child.join(_GLANCE)
    total = Counts()
    while not results.empty():
        total.add(results.get())
    if any(child.exitcode for child in children):
        total.error = total.error or "a process ended before its time"
    return total


def _child(given, journal, share, results) -> None:
    parent = os.getppid()
    with _stop_on_signals() as stop:
        def follow():
            # Nobody else would tell us that the parent was killed.
            while os.getppid() == parent:
                time.sleep(_GLANCE)
            stop.set()

        threading.Thread(target=follow, daemon=True).start()
        try:
            results.put(_work(given, journal, share, stop))
        except Misconfigured as error:
            results.put(Counts(error=str(error)))


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Give what SIGINT and SIGTERM set; the second of them kills."""
    stop = threading.Event()

    def end(number, frame):
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    # A test may call main() in a thread, where signals have no place.
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = [(number, signal.signal(number, end))
              for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _report(run: Run, share: int, many: int, ended: threading.Event
            ) -> None:
    who = f" (process {share + 1} of {many})" if many > 1 else ""
    before = 0
    while not ended.wait(_PROGRESS):
        sent = run.counts.sent
        print(f"{arguments.PROG}{who}: {sent} sent, "
              f"{(sent - before) / _PROGRESS:.0f} a second", file=sys.stderr)
        before = sent


def _summary(given, counts: Counts, stopped: bool) -> dict:
    return {"seed": given.seed, "sent": counts.sent,
            "repetitions": counts.repetitions, "poison": counts.poison,
            "unknown": counts.unknown, "projects": counts.projects,
            "seconds": round(counts.seconds, 3), "stopped": stopped,
            "error": counts.error}


def _told(given, counts: Counts) -> str:
    seconds = max(counts.seconds, 0.001)
    rate = counts.sent / seconds
    return (f"{arguments.PROG}: seed {given.seed}: {counts.sent} sent in "
            f"{seconds:.1f} s ({rate:.0f} a second); among them "
            f"{counts.repetitions} repetitions and {counts.poison} poisonous; "
            f"{counts.unknown} unknown; {len(counts.projects)} projects")


def _advice(counts: Counts) -> str:
    if "PRECONDITION_FAILED" in counts.error:
        return (" (what is there was declared otherwise: see --queues, or "
                "take an exchange of its own with --exchange)")
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _log_lines() -> None:
    """Have the libraries' warnings come as single lines."""
    class Line(logging.Formatter):
        def format(self, record):
            return f"{arguments.PROG}: {_one_line(record.getMessage())}"

    def told_later(record):
        # The sender raises these too, and the run ends with them.
        return not record.getMessage().startswith(
            ("Failed to publish", "Unable to connect to AMQP server",
             "Could not load"))

    handler = logging.StreamHandler()
    handler.setFormatter(Line())
    handler.addFilter(told_later)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
