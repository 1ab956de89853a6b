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

"""The notification methods of all projects, as the catalog has them now.

The dispatcher asks for one at each delivery, so they are kept in memory and
follow the catalog's revision.
"""

from collections.abc import Sequence
import threading

from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import Definition
from monasca_events_common.catalog import METHODS
from monasca_events_common.catalog import signing
from monasca_events_common.catalog.secrets import Secrets


class UnknownMethod(Exception):
    """There is no such notification method for the project, or not yet."""


class Methods:
    """Follows the catalog. Safe for several threads."""

    def __init__(self, catalog: Catalog, secrets: Secrets) -> None:
        self._catalog = catalog
        self._secrets = secrets
        self._revision = 0
        self._known: dict[str, Definition] = {}
        #: Method id → (its revision, its signing keys): to decrypt them for
        #: each delivery would be a tenth of what one costs.
        self._keys: dict[str, tuple[int, Sequence[signing.Key]]] = {}
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Take over what has changed; cheap where nothing has.

        :raises Unavailable: the database cannot answer; what is known stays
        """
        with self._refreshing:
            revision = self._catalog.revision()
            if revision == self._revision:
                return
            for one in self._catalog.changes(self._revision, [METHODS]):
                if one.deleted:
                    self._known.pop(one.id, None)
                    self._keys.pop(one.id, None)
                else:
                    self._known[one.id] = one
                revision = max(revision, one.revision)
            self._revision = revision

    def get(self, project_id: str, method_id: str) -> Definition:
        """Return a method of a project.

        :raises UnknownMethod: there is none
        """
        found = self._known.get(method_id)
        if found is None or found.project_id != project_id:
            raise UnknownMethod(method_id)
        return found

    def keys(self, method: Definition, now: float) -> tuple[str, ...]:
        """Return its live signing keys, the newest first.

        :raises Misconfigured: they were encrypted with a key that is gone
        """
        if method.secret is None:
            return ()
        revision, keys = self._keys.get(method.id, (None, ()))
        if revision != method.revision:
            keys = signing.load_keys(self._secrets.decrypt(method.secret))
            self._keys[method.id] = method.revision, keys
        return tuple(one.text for one in signing.live_keys(keys, now))
