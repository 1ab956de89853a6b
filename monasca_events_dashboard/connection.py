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

"""From a request of a browser to the event service, as its user."""

from django.conf import settings
from keystoneauth1 import session as sessions
from keystoneauth1 import token_endpoint
from openstack_dashboard.api import base

from monasca_events_client import Client
from monasca_events_client import Retries

SERVICE_TYPE = "event"

#: Somebody looks at an empty page meanwhile.
_RETRIES = Retries(tries=2, seconds=4.0, pause=0.3)
_TIMEOUT = 25.0


def connect(request) -> Client:
    """Return the client of who asks, in the project and region chosen.

    :raises horizon.exceptions.ServiceCatalogException: the catalog has no
        such service
    """
    endpoint = base.url_for(request, SERVICE_TYPE)
    session = sessions.Session(
        auth=token_endpoint.Token(endpoint, request.user.token.id),
        verify=not settings.OPENSTACK_SSL_NO_VERIFY
        and (settings.OPENSTACK_SSL_CACERT or True))
    return Client(session, endpoint_override=endpoint, timeout=_TIMEOUT,
                  retries=_RETRIES)
