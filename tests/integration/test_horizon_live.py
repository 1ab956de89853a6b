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

"""The whole way through the panels on real servers.

Horizon, Keystone, Kafka, Elasticsearch, MariaDB and RabbitMQ, and all of ours.
"""

import pathlib
import unittest

from tests.integration import panel_journey
from tests.integration.sites import EngineSite
from tests.integration.sites import LiveSite


class TestHorizonLive(panel_journey.JourneyTests, unittest.TestCase):

    kind = "live"

    @classmethod
    def make_site(cls, folder: pathlib.Path, extra: str) -> LiveSite:
        return EngineSite(folder, extra=extra, api_workers=1)
