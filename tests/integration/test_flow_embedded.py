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

"""The main job on the embedded drivers: SQLite files, no server."""

import pathlib
import unittest

from tests.integration import flow
from tests.integration.sites import EmbeddedSite
from tests.integration.sites import Site


class TestEmbeddedFlow(flow.FlowTests, unittest.TestCase):

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        return EmbeddedSite(folder)

    def places_on_disk(self) -> list[str]:
        # The notifications' file is the carrier, as RabbitMQ is: what is in
        # it was never ours to hide.
        return [str(one) for one in self.site.layout.root.iterdir()
                if one != self.site.layout.notifications] + [
                    str(one) for one in self.folder.glob("*.log")]

    def own_places(self) -> dict[str, list[str]]:
        return {name: [str(one) for one in self.site.layout.root.glob(files)]
                for name, files in (("spool", "spool"), ("bus", "bus.db*"),
                                    ("store", "events.db*"),
                                    ("dead letters", "dead-letters.db*"))}
