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

"""Choose ports once, so that a server keeps them across restarts.

Chosen ports are written to a book in the cache directory, because a port of
a server that is down looks free although another state directory owns it.
"""

import json
import pathlib
import random
import socket
from collections.abc import Callable, Collection, Sequence

from servers import HOST, Failed
from servers import locks

# Below the range that outgoing connections take theirs from: while a server
# is down, no client of the machine can come to sit on its port.
RANGE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket() as probe:
        # As servers do: connections of the past in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose(names: Sequence[str], taken: Collection[int],
           free: Callable[[int], bool] = is_free) -> dict[str, int]:
    """Return one port for each name, neither taken nor in use."""
    candidates = [port for port in RANGE if port not in taken]
    random.shuffle(candidates)
    chosen: dict[str, int] = {}
    for name in names:
        while candidates:
            port = candidates.pop()
            if free(port):
                chosen[name] = port
                break
        else:
            raise Failed(f"no free port left between {RANGE.start} and "
                         f"{RANGE.stop - 1}")
    return chosen


def reserve(book: pathlib.Path, owner: pathlib.Path, names: Sequence[str]
            ) -> dict[str, int]:
    """Choose ports for the state in `owner` and write them into `book`.

    Ports whose owner is gone are given free on the way, and so are those
    that `owner` had before it was wiped.
    """
    with locks.held(book.with_suffix(".lock")):
        entries = {int(port): path for port, path in _read(book).items()
                   if path != str(owner) and pathlib.Path(path).is_dir()}
        chosen = choose(names, entries)
        entries.update({port: str(owner) for port in chosen.values()})
        book.write_text(json.dumps(entries, indent=1, sort_keys=True))
    return chosen


def _read(book: pathlib.Path) -> dict[str, str]:
    try:
        return json.loads(book.read_text())
    except (FileNotFoundError, ValueError):
        return {}
