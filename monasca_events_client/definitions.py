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

"""What tenants define: triggers, notification methods, transforms.

All are made, shown, changed and deleted alike; the subclasses add what only
one of them can do.
"""

from collections.abc import Mapping
import re
from typing import Any

from monasca_events_client import errors
from monasca_events_client import filters
from monasca_events_client.pages import Pages
from monasca_events_client.transport import Transport
from monasca_events_client.transport import quote

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

#: What the beginning of an id that somebody typed may look like.
_BEGINNING = re.compile(r"[0-9a-f]{4,8}(-[0-9a-f-]*)?\Z")


class Definitions:
    """One collection of them.

    :cvar path: its address
    :cvar key: its name in the JSON of a list
    :cvar noun: what one of them is called
    :cvar shows_secret: whether making one is answered with a secret
    """

    path: str
    key: str
    noun: str
    shows_secret = False

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, name: str | None = None, limit: int | None = None,
             page_size: int | None = None, project_id: str | None = None,
             all_projects: bool = False) -> Pages:
        """Return them, oldest first."""
        return Pages(self._transport, self.path, self.key,
                     filters.of_listing(name=name, project_id=project_id,
                                        all_projects=all_projects),
                     limit, page_size)

    def get(self, definition_id: str, *, project_id: str | None = None,
            all_projects: bool = False) -> dict[str, Any]:
        """Return one; ``revision`` in it is for :meth:`update`.

        :raises NotFound: there is none, or it is another project's
        """
        return self._transport.json(
            "GET", self._address(definition_id), query=filters.of_listing(
                project_id=project_id, all_projects=all_projects))

    def find(self, name_or_id: str, *, project_id: str | None = None,
             all_projects: bool = False) -> dict[str, Any]:
        """Return the one of this name or id, or whose id begins so.

        :raises NotFound: there is none
        :raises Conflict: the beginning of an id is that of several
        """
        scope: dict[str, Any] = {"project_id": project_id,
                                 "all_projects": all_projects}
        found = list(self.list(name=name_or_id, **scope))
        if not found and _ID.match(name_or_id):
            return self.get(name_or_id, **scope)
        if not found and _BEGINNING.match(name_or_id):
            found = [one for one in self.list(**scope)
                     if one["id"].startswith(name_or_id)]
        if len(found) > 1:
            raise errors.Conflict(
                f"{name_or_id!r} is more than one {self.noun}: "
                + ", ".join(one["id"] for one in found[:5]),
                status=409, code="ambiguous")
        if not found:
            raise errors.NotFound(f"there is no {self.noun} {name_or_id!r}",
                                  status=404)
        return found[0]

    def create(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """Return the definition as it was made.

        :raises Conflict: the name is taken
        :raises BadRequest: it is wrong; ``where`` is the path of what is
        """
        return self._transport.json("POST", self.path, json=definition,
                                    secret=self.shows_secret)

    def update(self, definition_id: str, patch: Mapping[str, Any], *,
               revision: int | None = None) -> dict[str, Any]:
        """Return the changed definition.

        :param patch: single fields (RFC 7396): None takes one away, objects
            are merged, arrays take the place of what was there
        :param revision: refuse where it is another one by now
        :raises PreconditionFailed: somebody changed it meanwhile
        """
        return self._transport.json(
            "PATCH", self._address(definition_id), json=patch,
            headers=_if_match(revision), repeatable=revision is None)

    def delete(self, definition_id: str, *, revision: int | None = None
               ) -> None:
        """Delete one.

        :raises PreconditionFailed: somebody changed it meanwhile
        """
        self._transport.request("DELETE", self._address(definition_id),
                                headers=_if_match(revision))

    def _address(self, definition_id: str, *more: str) -> str:
        return "/".join((self.path, quote(definition_id), *more))


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}
