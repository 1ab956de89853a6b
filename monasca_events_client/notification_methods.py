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

"""``/v1.0/notification-methods``: where tenants want to be told."""

from typing import Any

from monasca_events_client import filters
from monasca_events_client.definitions import Definitions
from monasca_events_client.pages import Pages


class NotificationMethods(Definitions):
    """Notification methods.

    What :meth:`create` and :meth:`rotate` return of a webhook has ``secret``,
    which is shown this once and kept out of debug logs.
    """

    path = "/v1.0/notification-methods"
    key = "notification_methods"
    noun = "notification method"
    shows_secret = True

    def delete(self, definition_id: str, *, revision: int | None = None,
               force: bool = False) -> None:
        """Delete one.

        :param force: take it out of the triggers that name it
        :raises Conflict: triggers name it; ``details["triggers"]`` are
            their ids
        """
        headers = {} if revision is None else {"If-Match": f'"{revision}"'}
        self._transport.request(
            "DELETE", self._address(definition_id), headers=headers,
            query=[("force", "true")] if force else ())

    def rotate(self, definition_id: str, *, keep_seconds: float | None = None
               ) -> dict[str, Any]:
        """Make another signing key; return the method with ``secret``.

        :param keep_seconds: how long the key before stays valid, a day by
            default
        """
        return self._transport.json(
            "POST", self._address(definition_id, "rotate"), secret=True,
            json={} if keep_seconds is None
            else {"keep_seconds": keep_seconds})

    def test(self, definition_id: str) -> dict[str, Any]:
        """Have a test sent; return ``delivery_id`` and ``firing_id``."""
        return self._transport.json(
            "POST", self._address(definition_id, "test"), json={})

    def deliveries(self, definition_id: str, *, limit: int | None = None,
                   page_size: int | None = None,
                   project_id: str | None = None, all_projects: bool = False
                   ) -> Pages:
        """Return what a method delivered and what not, the latest first."""
        return Pages(self._transport,
                     self._address(definition_id, "deliveries"),
                     "deliveries", filters.of_listing(
                         project_id=project_id, all_projects=all_projects),
                     limit, page_size)
