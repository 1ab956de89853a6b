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

"""What others do with the same events and the same rules.

A peer reads events, one canonical event a line, and rules, one object
``{"id", "project_id", "pattern"}`` a line, as JSON. It keeps the events in
memory as text, passes over them to warm up and then for some seconds more,
and tells at what rate one thread came from the text of an event to the ids
of the rules that match, in the best pass. Nothing is done with what matched.

Patterns may hold exact words and numbers, ``prefix`` and ``numeric``: what
all of them have. By hand: ``python -m tests.bench.peers --help``.
"""

from collections.abc import Callable, Mapping
import pathlib
import tempfile

from tests.bench.peers import aodh
from tests.bench.peers import esper
from tests.bench.peers import event_ruler

PEERS: Mapping[str, Callable[..., dict]] = {
    "event-ruler": event_ruler.measure, "esper": esper.measure,
    "aodh": aodh.measure}


def run(peer: str, events: pathlib.Path, rules: pathlib.Path, *,
        warm: float = 5.0, seconds: float = 5.0, limit: int = 0) -> dict:
    """Return what a peer did.

    :param peer: a name in ``PEERS``
    :param warm: seconds to run before it counts, at least
    :param seconds: seconds to measure, at least; a pass is never cut off
    :param limit: how many events to take from the file, 0 for all
    :return: ``events_s``; ``matches`` of one pass; ``rules``; ``events``;
        ``passes``
    :raises tests.bench.sample.Missing: it cannot be had here
    :raises ValueError: it cannot express one of the rules
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if limit:
            lines = events.read_bytes().splitlines(keepends=True)[:limit]
            events = folder / "events"
            events.write_bytes(b"".join(lines))
        return PEERS[peer](events, rules, folder, warm, seconds)
