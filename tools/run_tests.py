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

"""Runs the parts of the test suite one after another and counts.

Called by tools/test.sh inside the virtual environment. Each part is a command
of its own; test parts run under stestr in two processes, whose stream tells
the numbers.
"""

from collections.abc import Sequence
import io
import os
import shutil
import subprocess
import sys
import time

import subunit
import testtools

#: Parts in the order in which they run: the quick ones first.
PARTS = ("style", "unit", "functional", "docs", "integration", "bench")

#: Integration tests that share no server with the others: these and those
#: run side by side, each in a process, for both wait most of the time.
APART = ("acting_embedded", "agent_embedded", "bus_kafka", "cli",
         "dead_letters", "devstack", "faults_embedded", "flow_embedded",
         "fresh_clone", "poster_tls", "standalone", "syslog_embedded",
         "transforms_embedded", "wsgi_servers")

#: The part of a test's name that it shares with those in its process.
TOGETHER = (rf"tests\.integration(?=\.test_(?:{'|'.join(APART)})\.)"
             r"|tests(?=\.integration\.)")

_STYLE = (("ruff", "check", "."), ("lint-imports", "--no-cache"),
          ("bashate", "--ignore", "E006", "tools/standalone.sh",
           "tools/test.sh", "tools/venv.sh", ".ci/run", "devstack/settings",
           "devstack/plugin.sh", "devstack/lib/accounts",
           "devstack/lib/backends", "devstack/lib/notifications",
           "devstack/lib/services", "tests/integration/devstack/functions",
           "tests/integration/devstack/run.sh"))

# Read anew each time (-E): a page that did not change keeps its warning.
_DOCS = tuple((sys.executable, "-m", "sphinx", "-E", "-W", "-q", "-b", "html",
               f"{folder}/source", f"{folder}/build/html")
              for folder in ("doc", "api-ref", "releasenotes"))


#: Lines of what a failed test says that are told once more at the end.
TOLD = 30


class Tally:
    """How many tests did what, and what those that failed said."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0
        self.failures: list[str] = []

    def add(self, passed: int, failed: int, skipped: int = 0) -> None:
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def line(self) -> str:
        """Return the closing line."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def run_commands(commands: Sequence[Sequence[str]], tally: Tally) -> None:
    """Run commands; each one counts as a test."""
    for command in commands:
        status = subprocess.run(command, check=False).returncode
        tally.add(status == 0, status != 0)
        if status:
            tally.failures.append(f"failed: {' '.join(command)}")


def run_stestr(part: str, tally: Tally) -> None:
    """Run one folder of tests under stestr and read its stream."""
    folder = {"bench": "tests/bench"}.get(part, f"tests/{part}")
    repository = f".stestr/{part}"
    shutil.rmtree(repository, ignore_errors=True)
    together = ["--group-regex", TOGETHER] if part == "integration" else []
    command = ["stestr", "--test-path", folder, "--repo-url", repository,
               *together, "run", "--slowest", "--concurrency", "2"]
    os.makedirs(repository)
    status = subprocess.run(command, check=False).returncode
    stream = subprocess.run(
        ["stestr", "--test-path", folder, "--repo-url", repository, "last",
         "--subunit"], check=False, stdout=subprocess.PIPE).stdout
    summary = testtools.StreamSummary()
    summary.startTestRun()
    subunit.ByteStreamToStreamResult(io.BytesIO(stream)).run(summary)
    summary.stopTestRun()
    failed = len(summary.errors) + len(summary.failures)
    skipped = len(summary.skipped)
    tally.add(summary.testsRun - failed - skipped, failed, skipped)
    for test, reason in summary.skipped:
        print(f"skipped: {test.id()}: {reason}")
    for test, told in (*summary.errors, *summary.failures):
        end = "\n".join(told.rstrip().splitlines()[-TOLD:])
        tally.failures.append(f"{end}\nfailed: {test.id()}")
    if not summary.testsRun or (status and not failed):
        tally.failures.append(f"failed: {part}: stestr ended with {status} "
                              f"after {summary.testsRun} tests")
        tally.add(0, 1)


def main(arguments: Sequence[str]) -> int:
    """Run the parts named, or all; return the exit status."""
    unknown = sorted(set(arguments) - set(PARTS))
    if unknown:
        print(f"error: unknown part {unknown[0]!r}; known: "
              f"{' '.join(PARTS)}", file=sys.stderr)
        return 2
    tally = Tally()
    for part in PARTS:
        if arguments and part not in arguments:
            continue
        began = time.monotonic()
        print(f"== {part}", flush=True)
        if part == "style":
            run_commands(_STYLE, tally)
        elif part == "docs":
            run_commands(_DOCS, tally)
        else:
            run_stestr(part, tally)
        print(f"== {part}: {time.monotonic() - began:.0f} s", flush=True)
    # Last, where someone with nothing but the end of a long log finds them.
    for failure in tally.failures:
        print(failure)
    print(tally.line())
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
