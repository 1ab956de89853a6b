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

"""Programs that tests use and that are no servers: `fetch` gets them.

`up` does the same, starts nothing, and tells where they are.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from servers import Instance, Launch, NotReady, Server
from servers import sources


class Programs(Server):
    """What Debian `packages` (package: program) bring, under handy names."""

    port_names = ()

    def __init__(self, name: str, packages: Mapping[str, str],
                 programs: Mapping[str, str]) -> None:
        self.name = name
        self._packages = packages
        self._programs = programs

    def fetch(self, cache: pathlib.Path) -> None:
        for package, program in self._packages.items():
            sources.debian(package, program)

    def prepare(self, instance: Instance) -> None:
        pass

    def launches(self, instance: Instance) -> Sequence[Launch]:
        return []

    def probe(self, instance: Instance) -> None:
        for program in self._programs.values():
            if not os.access(program, os.X_OK):
                raise NotReady(f"{program} is gone")

    def describe(self, instance: Instance) -> dict[str, Any]:
        first = next(iter(self._programs.values()))
        return {"url": f"file://{first}", "state": "fetched",
                **self._programs}


CHROMIUM = Programs(
    "chromium", {"chromium": "/usr/bin/chromium",
                 "chromium-driver": "/usr/bin/chromedriver"},
    {"browser": "/usr/bin/chromium", "driver": "/usr/bin/chromedriver"})
PROMETHEUS = Programs("prometheus", {"prometheus": "/usr/bin/promtool"},
                      {"promtool": "/usr/bin/promtool"})
