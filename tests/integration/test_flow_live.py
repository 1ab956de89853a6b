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

"""The main job on real servers: RabbitMQ, Keystone, Kafka, Elasticsearch.

Real notifications of a real Keystone, notifications captured from nova,
neutron, glance and cinder, and generated ones pass the whole way with real
tokens, and two tenants see exactly their own.
"""

import pathlib
import unittest

from tests.integration import flow
from tests.integration import servers
from tests.integration.sites import LiveSite
from tests.integration.sites import Site


class LiveFlow(flow.FlowTests):
    """The flow on real servers, for each bus driver."""

    bus = "kafka"

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        return LiveSite(folder, bus=cls.bus)

    def places_on_disk(self) -> list[str]:
        # RabbitMQ is the carrier; what is in it was never ours to hide.
        found = servers.up("kafka", "elasticsearch", "mariadb")
        return [str(self.folder), *(one["directory"]
                                    for one in found.values())]


class TestLiveFlow(LiveFlow, unittest.TestCase):
    bus = "kafka"


class TestLiveFlowConfluent(LiveFlow, unittest.TestCase):
    bus = "confluent"
    count = 1000
