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

"""Real servers for the tests, brought up by tools/servers.

A test that needs a server asks here and is skipped, saying what is missing,
where that server cannot be had; with CI=true that is a failure instead. The
servers go on running afterwards, for the next test.
"""

from collections.abc import Mapping, Sequence
import json
import os
import pathlib
import subprocess
import sys
import unittest

_TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "servers"

# The first time a server is fetched and unpacked; later it takes seconds.
_SECONDS = 900

#: The tool's exit status where a part cannot be had at all.
_MISSING = 3


def up(*names: str, settings: Sequence[str] = ()) -> Mapping:
    """Return where servers are, starting them if need be.

    :param names: ``elasticsearch``, ``kafka``, … as tools/servers names them
    :param settings: ``NAME:KEY=VALUE``; a server that runs with others is
        started again
    :return: what ``tools/servers up NAME --json`` says of it: ``url``, …;
        for several names, name → that
    :raises unittest.SkipTest: one cannot be had on this machine
    """
    options = [part for one in settings for part in ("--set", one)]
    found = json.loads(_run("up", *names, *options, "--json"))
    return found[names[0]] if len(names) == 1 else found


def restart(name: str) -> None:
    """Stop it as an administrator would and start it on the same data."""
    _run("restart", name)


def kill(name: str) -> None:
    """SIGKILL it."""
    _run("kill", name)


def pause(name: str) -> None:
    """SIGSTOP it."""
    _run("pause", name)


def resume(name: str) -> None:
    """SIGCONT it."""
    _run("continue", name)


def _run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, str(_TOOL), *arguments],
                          capture_output=True, text=True, timeout=_SECONDS,
                          check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        message = f"servers {' '.join(arguments)}: {said}"
        if done.returncode == _MISSING and os.environ.get("CI") != "true":
            raise unittest.SkipTest(message)
        raise AssertionError(message)
    return done.stdout
