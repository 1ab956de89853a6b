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

"""The Python client of the API.

::

    from keystoneauth1 import loading
    from monasca_events_client import Client

    client = Client(session)
    for event in client.events.list(event_type="prefix:compute.", limit=10):
        print(event["timestamp"], event["event_type"])

It needs keystoneauth1 and nothing of the rest of Monasca Events. The plug-in
of ``openstack`` is in :mod:`monasca_events_client.cli`.
"""

from monasca_events_client.client import Client
from monasca_events_client.errors import ClientError
from monasca_events_client.transport import Retries

__all__ = ("Client", "ClientError", "Retries")
