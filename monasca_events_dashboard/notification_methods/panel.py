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

"""The entry in the navigation."""

from django.utils.translation import gettext_lazy as _
import horizon


class Methods(horizon.Panel):
    """Shown to who may list methods, where the catalog has the service."""

    name = _("Notification Methods")
    slug = "event_methods"
    permissions = ("openstack.services.event",)
    policy_rules = (("event", "notification_methods:list"),)
