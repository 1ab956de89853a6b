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

"""``/v1.0/transforms``: what becomes of a tenant's events when stored."""

from collections.abc import Mapping
from typing import Any

from monasca_events_client import filters
from monasca_events_client.definitions import Definitions


class Transforms(Definitions):
    """Transforms. They are plain dicts."""

    path = "/v1.0/transforms"
    key = "transforms"
    noun = "transform"

    def versions(self, transform_id: str, *, project_id: str | None = None,
                 all_projects: bool = False) -> list[dict[str, Any]]:
        """Return what one says and said, newest first: ``revision``, ``at``,
        ``user_id``, ``definition``.

        :raises NotFound: there is none, or it is another project's
        """
        return self._transport.json(
            "GET", self._address(transform_id, "versions"),
            query=filters.of_listing(project_id=project_id,
                                     all_projects=all_projects))["versions"]

    def test(self, *, transform: Mapping[str, Any] | None = None,
             transform_id: str | None = None,
             event: Mapping[str, Any] | None = None,
             event_id: str | None = None) -> dict[str, Any]:
        """Return what transforms make of one event; nothing is stored.

        :param transform: a draft, in place of ``transform_id``; without
            both, all that are in force
        :param event: any event, in place of ``event_id``, a stored one
        """
        given = {"transform": transform, "transform_id": transform_id,
                 "event": event, "event_id": event_id}
        return self._transport.json(
            "POST", f"{self.path}/test", repeatable=True,
            json={name: value for name, value in given.items()
                  if value is not None})
