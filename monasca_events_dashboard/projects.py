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

"""Names of projects, for pages about all of them.

Keystone takes as long for the list as everything else on such a page does
together, and about as long again for each single name; so that the list is
remembered for a while.
"""

from django.core.cache import cache
from horizon import exceptions
from keystoneauth1 import exceptions as ksa
from openstack_dashboard.api import keystone

#: Seconds for which names are remembered; a newer project has its id only.
_SECONDS = 600


def names(request) -> dict[str, str]:
    """Return id → name of the projects that who asks may see; nothing where
    Keystone does not say."""
    key = f"monasca_events.projects.{request.user.id}"
    found = cache.get(key)
    if found is None:
        try:
            projects, _more = keystone.tenant_list(request)
        except (ksa.ClientException, exceptions.HorizonException):
            # Ids do as well.
            return {}
        found = {one.id: one.name for one in projects}
        cache.set(key, found, _SECONDS)
    return found
