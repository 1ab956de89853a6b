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


"""What each service says, and the scenarios in which it says it.

A scenario is a generator over a Life; SCENARIOS gives each its weight and the
service without which it makes no sense.
"""

from collections.abc import Callable
import dataclasses

from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.services import audit
from monasca_events_agent.traffic.services import cinder
from monasca_events_agent.traffic.services import glance
from monasca_events_agent.traffic.services import keystone
from monasca_events_agent.traffic.services import neutron
from monasca_events_agent.traffic.services import platform
from monasca_events_agent.traffic.services import server
from monasca_events_agent.traffic.services import storage


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind of lifecycle.

    :ivar service: the service it is about
    :ivar weight: how often it happens, compared with the others
    """

    service: str
    weight: float
    play: Callable[[Life], Scenario]


SCENARIOS = (
    Kind("nova", 5, server.server),
    Kind("cinder", 2, cinder.volume),
    Kind("neutron", 1.5, neutron.network),
    Kind("glance", 1, glance.image),
    Kind("keystone", 3, keystone.login),
    Kind("keystone", 0.5, keystone.account),
    Kind("heat", 0.7, platform.stack),
    Kind("octavia", 0.5, platform.load_balancer),
    Kind("designate", 0.5, platform.zone),
    Kind("magnum", 0.2, platform.cluster),
    Kind("ironic", 0.2, platform.bare_metal),
    Kind("swift", 1, storage.objects),
    Kind("manila", 0.4, storage.share),
    Kind("trove", 0.3, storage.database),
    Kind("barbican", 0.3, audit.secret),
)

SERVICES = tuple(sorted({kind.service for kind in SCENARIOS}))
