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


"""Finds the project to which a notification belongs.

The project of the resource comes before the project of the caller: an
administrator who acts on a tenant's server makes an event of that tenant.
Where neither is known the event is the operator's, never nobody's.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import re

from monasca_events_common.errors import Misconfigured

#: What a project id looks like unless the operator says otherwise.
PROJECT_ID = (r"[0-9a-f]{32}"
              r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Project ids that are remembered, so as not to be matched again.
_KNOWN = 8192


class Tenants:
    """Chooses among the places where a project id may stand.

    :ivar known: some ids that are valid
    """

    def __init__(self, operator_project_id: str,
                 pattern: str = PROJECT_ID) -> None:
        """:param operator_project_id: gets the events of no known project
        :param pattern: regular expression that a whole project id matches
        :raises Misconfigured: the pattern is none, or does not match the
            operator's own project
        """
        try:
            self._valid = re.compile(pattern).fullmatch
        except re.error as error:
            raise Misconfigured(f"the pattern of project ids {pattern!r} is "
                                f"no regular expression: {error}") from None
        if not operator_project_id:
            raise Misconfigured("the operator's project id is empty; events "
                                "of no known project need one")
        if not self._valid(operator_project_id):
            raise Misconfigured(
                f"the operator's project id {operator_project_id!r} does not "
                f"look like one; expected {pattern}")
        self.operator_project_id = operator_project_id
        self.known: set[str] = set()

    def find(self, payload: Mapping,
             getters: Iterable[Callable[[Mapping], object]],
             caller: str | None) -> tuple[str, bool]:
        """Return the project id, and whether it was found anywhere.

        :param getters: places in the payload, best first
        :param caller: project of the context; asked last
        """
        for get in getters:
            found = get(payload)
            if type(found) is str and self._valid(found):
                self._remember(found)
                return found, True
        if caller is not None and self._valid(caller):
            return caller, True
        return self.operator_project_id, False

    def _remember(self, project_id: str) -> None:
        if len(self.known) >= _KNOWN:
            self.known.clear()
        self.known.add(project_id)
