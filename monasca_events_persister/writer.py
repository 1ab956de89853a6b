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

import prometheus_client

from monasca_events_common import errors
from monasca_events_common import metrics
from monasca_events_common.bus import Delivery
from monasca_events_common.handler import Handler
from monasca_events_common.handler import Rejected
from monasca_events_common.store import Document
from monasca_events_common.store import Store
from monasca_events_common.transformer import Transformer
from monasca_events_persister import records

STAGE = "persister"

TRANSFORMED = prometheus_client.Counter(
    "monasca_events_transformed",
    "Events that tenants' transforms changed, split or dropped, or could not.",
    ["outcome"])


class Writer(Handler):
    """Writes batches into one store. Safe to call from several threads."""

    # Tenants' changed transforms take effect within this.
    tick_every = 0.4

    def __init__(self, store: Store,
                 transformer: Transformer | None = None) -> None:
        """:param transformer: None stores everything as it is"""
        self._store = store
        self._transformer = transformer

    def tick(self, now: float, ends) -> None:
        if self._transformer is not None:
            self._transformer.follow()

    def handle(self, batch: Sequence[Delivery]) -> Sequence[Rejected]:
        """Return once every record is stored, or named as rejected.

        Raises StoreUnavailable when the store cannot say so of one of them.
        """
        documents: list[Document] = []
        places: list[int] = []
        rejected: list[Rejected] = []
        for position, delivery in enumerate(batch):
            try:
                document = records.document(delivery)
                several = (self._transformer
                           and self._transformer.apply(document))
            except errors.Rejected as error:
                rejected.append(Rejected(position, error.code, str(error)))
                continue
            if several is None:
                documents.append(document)
                places.append(position)
            else:
                documents.extend(several)
                places.extend([position] * len(several))
        if documents:
            result = self._store.write(documents)
            metrics.REPEATED.labels(STAGE).inc(result.repeated)
            # Of an event that was split one letter is enough: its replay
            # makes all of it again, and what is stored is a repeat.
            rejected.extend({
                places[one.position]: Rejected(
                    places[one.position], one.code, one.reason,
                    "StoreRejected") for one in result.rejected}.values())
        return rejected
