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

"""``/v1.0/firings`` and those of one trigger: what triggers did."""

from collections.abc import Sequence
from typing import Any

from monasca_events_client import errors
from monasca_events_client import filters
from monasca_events_client.pages import Pages
from monasca_events_client.transport import Transport
from monasca_events_client.transport import quote

_TRIGGERS = "/v1.0/triggers"


def of_trigger(transport: Transport, trigger_id: str, *,
               limit: int | None = None, page_size: int | None = None,
               **given: Any) -> Pages:
    """Return the firings of one trigger, newest first."""
    return Pages(transport, f"{_TRIGGERS}/{quote(trigger_id)}/firings",
                 "firings", filters.of_listing(**given), limit, page_size)


class Firings:
    """Firings and what became of their deliveries."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, outcome: str | Sequence[str] | None = None,
             trigger_id: str | Sequence[str] | None = None,
             since: filters.Moment | None = None,
             until: filters.Moment | None = None, limit: int | None = None,
             page_size: int | None = None, project_id: str | None = None,
             all_projects: bool = False, marker: str | None = None) -> Pages:
        """Return firings, newest first.

        :param outcome: ``fired``, ``missed``, ``recovered``, or several
        :param marker: of a list before, to go on behind it
        """
        return Pages(self._transport, "/v1.0/firings", "firings",
                     filters.of_listing(
                         outcome=outcome, trigger_id=trigger_id, since=since,
                         until=until, project_id=project_id,
                         all_projects=all_projects, marker=marker),
                     limit, page_size)

    def get(self, trigger_id: str, firing_id: str, *,
            project_id: str | None = None, all_projects: bool = False
            ) -> dict[str, Any]:
        """Return one, with the event that completed it."""
        return self._transport.json(
            "GET", self._address(trigger_id, firing_id),
            query=filters.of_listing(project_id=project_id,
                                     all_projects=all_projects))

    def find(self, firing_id: str, **given: Any) -> dict[str, Any]:
        """Return the one whose id is this or begins so.

        The API finds a firing by its trigger only, so that this looks
        through the list, newest first.

        :param given: filters of :meth:`list`
        :raises NotFound: there is none
        :raises Conflict: it is the beginning of several
        """
        found: dict[str, dict[str, Any]] = {}
        given.setdefault("page_size",
                         self._transport.limits()["max_page"])
        for one in self.list(**given):
            if one["firing_id"] == firing_id:
                return one
            if one["firing_id"].startswith(firing_id):
                found[one["firing_id"]] = one
        if len(found) > 1:
            raise errors.Conflict(
                f"{firing_id!r} is more than one firing: "
                + ", ".join([*found][:5]), status=409, code="ambiguous")
        for one in found.values():
            return one
        raise errors.NotFound(f"there is no firing {firing_id!r}",
                              status=404)

    def redeliver(self, trigger_id: str, firing_id: str,
                  delivery_ids: Sequence[str] | None = None) -> Sequence[str]:
        """Have deliveries tried again; return their ids.

        :param delivery_ids: delivered ones too; by default all that were
            given up or cancelled
        """
        body = {} if delivery_ids is None \
            else {"delivery_ids": list(delivery_ids)}
        return self._transport.json(
            "POST", self._address(trigger_id, firing_id, "redeliver"),
            json=body)["delivery_ids"]

    def cancel(self, trigger_id: str, firing_id: str) -> Sequence[str]:
        """Leave undone what still waits; return the deliveries' ids.

        :raises Conflict: nothing waits
        """
        return self._transport.json(
            "POST", self._address(trigger_id, firing_id, "cancel"),
            json={})["delivery_ids"]

    def _address(self, trigger_id: str, firing_id: str, *more: str) -> str:
        return "/".join((_TRIGGERS, quote(trigger_id), "firings",
                         quote(firing_id), *more))
