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

"""``openstack event tail`` while things go on, and what it is told to do."""

from collections.abc import Mapping, Sequence
import itertools
import json
import os
import pathlib
import signal
import subprocess
import uuid

import requests

from tests.integration.daemons import program
from tests.integration.daemons import wait_for


class Tail:
    """The command, running until it is told to end; use it with ``with``."""

    def __init__(self, folder: pathlib.Path, environment: Mapping[str, str],
                 *arguments: str) -> None:
        name = uuid.uuid4().hex
        self._out, self._err = (folder / f"tail-{name}.{kind}"
                                for kind in ("out", "err"))
        # Whoever runs tests in the background may have turned SIGINT off.
        command = ["env", "--default-signal=INT", program("openstack"),
                   "event", "tail", "-f", "json", *arguments]
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err)

    def __enter__(self) -> "Tail":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def events(self) -> list[dict]:
        """Return what it has shown, as far as it is whole lines."""
        whole, _, _ = self._out.read_text().rpartition("\n")
        if self.process.poll() not in (None, 130):
            raise AssertionError(self.said())
        return [json.loads(line) for line in whole.splitlines()]

    def numbers(self) -> list[int]:
        """Return the numbers of those events, each once."""
        return list(dict.fromkeys(one["traits"]["n"]
                                  for one in self.events()))

    def output(self) -> str:
        """Return all that was written to standard output."""
        return self._out.read_text()

    def said(self) -> str:
        """Return what was written to standard error."""
        return self._err.read_text()

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(120)


class TailTests:
    """What a tail does on every site; mixed into CommandTests."""

    def tail(self, *arguments: str) -> Tail:
        return Tail(self.folder, self.environment("alt-reader"), "--lines",
                    "0", *arguments)

    def say(self, kind: str, numbers: Sequence[int]) -> None:
        """Post numbered events of B, also while a worker is replaced."""
        def said() -> bool:
            try:
                answer = self.site.call(
                    "POST", "/v1.0/events", self.site.token("B", "member"),
                    json={"events": [
                        {"event_type": kind, "event_id": f"{kind}-{n}",
                         "traits": {"n": n}} for n in numbers]})
            except requests.RequestException:
                return False
            self.assertIn(answer.status_code, (202, 503), answer.text)
            return answer.status_code == 202
        wait_for("the events are accepted", said)

    def begin(self, tail: Tail, kind: str) -> int:
        """Post events until some were shown; return how many there are."""
        count = itertools.count()

        def shown() -> bool:
            self.say(kind, [next(count)])
            return len(tail.events()) >= 3
        wait_for("what is posted is shown", shown, every=0.3)
        total = next(count)
        self.await_shown(tail, total - 1)
        return total

    def await_shown(self, tail: Tail, number: int) -> None:
        wait_for(f"{number} is shown", lambda: number in tail.numbers())

    def test_ctrl_c_ends_a_tail_behind_a_whole_line(self):
        with self.tail("--type", "a.kept") as tail:
            self.begin(tail, "a.kept")
            self.assertEqual(130, tail.interrupt())
            self.assertEqual("", tail.said())
            self.assertTrue(tail.output().endswith("}\n"))
            numbers = tail.numbers()
        self.assertEqual([*range(numbers[0], numbers[-1] + 1)], numbers)


class WorkersTests(TailTests):
    """What a tail does where the API has several workers."""

    def kill(self, victims: Sequence[int]) -> None:
        """SIGKILL workers of the API; return when others are in place."""
        workers = self.site.daemons.workers
        count = len(workers("api"))
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        wait_for("they are replaced", lambda: len(
            set(workers("api")) - set(victims)) == count)

    def test_a_tail_goes_on_with_whichever_worker_is_there(self):
        """S17, F24: by Last-Event-ID, across the bus's partitions."""
        with self.tail("--type", "a.steady") as tail:
            total = self.begin(tail, "a.steady")
            workers = self.site.daemons.workers("api")
            self.assertEqual(2, len(workers))
            # One of them has the stream: it breaks at least once.
            for victim in workers:
                self.kill([victim])
                self.say("a.steady", range(total, total + 5))
                total += 5
                self.await_shown(tail, total - 1)
            numbers = tail.numbers()
            self.assertEqual([*range(numbers[0], total)], numbers)
            self.assertEqual("", tail.said())
            self.assertEqual(130, tail.interrupt())

    def test_a_tail_that_was_away_too_long_is_told_so(self):
        """S17: a worker that is asked anew looks at the last thousand."""
        with self.tail("--type", "a.late") as tail:
            total = self.begin(tail, "a.late")
            tail.process.send_signal(signal.SIGSTOP)
            try:
                self.kill(self.site.daemons.workers("api"))
                end = total + 1600
                for start in range(total, end, 800):
                    self.say("a.late", range(start, start + 800))
            finally:
                tail.process.send_signal(signal.SIGCONT)
            self.await_shown(tail, end - 1)
            self.assertIn("events were left out here; 'openstack event list' "
                          "has them\n", tail.said())
            after = [n for n in tail.numbers() if n >= total]
            self.assertEqual(sorted(after), after)
            self.assertGreater(after[0], total)
            self.assertEqual(130, tail.interrupt())
