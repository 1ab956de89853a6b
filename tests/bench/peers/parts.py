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

"""Where the peers' parts come from: what tools/servers fetches into its cache.

Programs in Java stand beside this file as text, and are compiled into the
cache when they have changed.
"""

from collections.abc import Iterator, Sequence
import contextlib
import hashlib
import json
import pathlib
import subprocess
import sys

from tests.bench.sample import Missing
from tests.cache import CACHE

_HERE = pathlib.Path(__file__).parent
# At the end of the search path: it hides nothing there.
sys.path.append(str(_HERE.parents[2] / "tools"))

import servers  # noqa: E402
from servers import sources  # noqa: E402
from servers import tasks  # noqa: E402


@contextlib.contextmanager
def _told_as_missing() -> Iterator[None]:
    try:
        yield
    except servers.ServersError as error:
        raise Missing(str(error)) from None


def java_program(name: str, coordinates: Sequence[str], main: str
                 ) -> list[str]:
    """Return the command line of ``main``, compiled if it has to be.

    :param name: the peer's, and of its libraries in the cache
    :param coordinates: of the libraries, ``group:artifact:version``
    :param main: a class in ``MAIN.java`` here; Measurement is there too
    :raises Missing: there is no JDK, no Maven, or nothing to fetch from
    """
    texts = [_HERE / f"{one}.java" for one in (main, "Measurement")]
    content = hashlib.sha256(b"".join(
        text.read_bytes() for text in texts)).hexdigest()
    with _told_as_missing():
        home = sources.java_home()
        libraries = CACHE / name
        sources.maven(CACHE, libraries, coordinates)
        compiled = CACHE / f"{name}-peer"
        with sources.filling(compiled, content) as todo:
            if todo:
                if not (home / "bin/javac").exists():
                    raise Missing(f"{home} has no javac: install a JDK")
                tasks.run("javac", [
                    str(home / "bin/javac"), "-cp", f"{libraries}/*",
                    "-d", str(compiled), *map(str, texts)])
    return [str(home / "bin/java"), "-Xmx4g", "-XX:+UseParallelGC",
            "-cp", f"{compiled}:{libraries}/*", main]


def python(name: str, requirements: Sequence[str]) -> str:
    """Return the interpreter of a virtual environment with requirements.

    :raises Missing: they cannot be installed here
    """
    with _told_as_missing():
        sources.virtualenv(CACHE / name, requirements)
    return str(CACHE / name / "bin/python")


def answer(command: Sequence[str]) -> dict:
    """Return the JSON line that a peer prints last."""
    done = subprocess.run(list(command), capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RuntimeError(f"{command[-5:]}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
