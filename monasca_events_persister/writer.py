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

"""The persister's handler: a batch of records becomes one write."""

from collections.abc import Sequence

from monasca_events_common import errors
from monasca_events_common import metrics
from monasca_events_common.bus import Delivery
from monasca_events_common.store import Document
from monasca_events_common.store import Store
from monasca_events_common.stream import Handler
from monasca_events_common.stream import Rejected
from monasca_events_persister import records

STAGE = "persister"


class Writer(Handler):
    """Writes batches into one store. Safe to call from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def handle(self, batch: Sequence[Delivery]) -> Sequence[Rejected]:
        """Return once every record is stored, or named as rejected.

        Raises StoreUnavailable when the store cannot say so of one of them.
        """
        documents: list[Document] = []
        places: list[int] = []
        rejected: list[Rejected] = []
        for position, delivery in enumerate(batch):
            try:
                documents.append(records.document(delivery))
                places.append(position)
            except errors.Rejected as error:
                rejected.append(Rejected(position, error.code, str(error)))
        if documents:
            result = self._store.write(documents)
            metrics.REPEATED.labels(STAGE).inc(result.repeated)
            rejected.extend(Rejected(places[one.position], one.code,
                                     one.reason, "StoreRejected")
                            for one in result.rejected)
        return rejected
