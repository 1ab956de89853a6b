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

"""AWS event-ruler: one machine with all rules of all projects.

The project is one more field of each rule, as it has to be where tenants
share a bus.
"""

import pathlib

from tests.bench.peers import parts

_VERSION = "1.7.3"
_COORDINATES = (f"software.amazon.event.ruler:event-ruler:{_VERSION}",)


def measure(events: pathlib.Path, rules: pathlib.Path, folder: pathlib.Path,
            warm: float, seconds: float) -> dict:
    """See ``peers.run``; ``folder`` is for files of its own."""
    program = parts.java_program(f"event-ruler-{_VERSION}", _COORDINATES,
                                 "EventRulerPeer")
    return parts.answer([*program, str(rules), str(events), str(warm),
                         str(seconds)])
