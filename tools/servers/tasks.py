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

"""Run a program that comes to an end, and tell in one line if it fails."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from servers import Failed


def run(what: str, argv: Sequence[str], *, text: str = "",
        env: Mapping[str, str] | None = None, seconds: float = 300.0) -> str:
    """Return what `argv` prints; raise Failed if it does not succeed.

    `text` is its standard input and `env` is added to the environment.
    """
    try:
        done = subprocess.run(list(argv), input=text, capture_output=True,
                              text=True, errors="replace", timeout=seconds,
                              env={**os.environ, **(env or {})})
    except OSError as error:
        raise Failed(f"{what} cannot be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{what} did not end in {seconds:.0f} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or "it said nothing"
        raise Failed(f"{what} refused: {said[-300:]}")
    return done.stdout
