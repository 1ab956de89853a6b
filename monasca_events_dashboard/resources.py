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

"""From an event to the pages about the things that it names."""

from collections.abc import Mapping

from django.urls import NoReverseMatch
from django.urls import reverse
from horizon import base
from horizon.templatetags.horizon import has_permissions

#: Resource type → dashboard, panel and the name of the page in the latter.
PAGES: Mapping[str, tuple[str, str, str]] = {
    "compute.instance": ("project", "instances", "detail"),
    "compute.keypair": ("project", "key_pairs", "detail"),
    "image.image": ("project", "images", "images:detail"),
    "network.network": ("project", "networks", "detail"),
    "network.port": ("project", "networks", "ports:detail"),
    "network.router": ("project", "routers", "detail"),
    "network.security_group": ("project", "security_groups", "detail"),
    "network.subnet": ("project", "networks", "subnets:detail"),
    "orchestration.stack": ("project", "stacks", "detail"),
    "volume.backup": ("project", "backups", "detail"),
    "volume.snapshot": ("project", "snapshots", "detail"),
    "volume.volume": ("project", "volumes", "detail"),
    "identity.project": ("identity", "projects", "detail"),
    "identity.user": ("identity", "users", "detail"),
}


def page_url(request, resource_type: str | None, resource_id: str | None
             ) -> str | None:
    """Return where Horizon shows a resource; None where it does not, or not
    to who asks."""
    if not resource_id or resource_type not in PAGES:
        return None
    dashboard, slug, name = PAGES[resource_type]
    try:
        panel = base.Horizon.get_dashboard(dashboard).get_panel(slug)
    except base.NotRegistered:
        return None
    if not (has_permissions(request.user, panel)
            and panel.can_access({"request": request})):
        return None
    try:
        return reverse(f"horizon:{dashboard}:{slug}:{name}",
                       args=[resource_id])
    except NoReverseMatch:
        # The id is not of the form that such ids have.
        return None
