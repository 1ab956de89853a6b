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

"""Monasca's Kafka topic ``metrics``: measures as its persister reads them."""

from collections.abc import Sequence
import time

from oslo_config import cfg
import orjson

from monasca_events_common.bus import Record
from monasca_events_engine import monasca_kafka
from monasca_events_engine.account import Accounts
from monasca_events_engine.measures import Measure
from monasca_events_engine.sinks import Refusal
from monasca_events_engine.sinks import Sink
from monasca_events_engine.sinks.monasca_metric import metric


class MonascaKafka(Sink):
    """Publishes measures for Monasca's persister and threshold engine."""

    GROUP = "monasca_kafka"
    OPTS = [
        *monasca_kafka.OPTS,
        cfg.StrOpt("topic", default="metrics",
                   help="The topic that Monasca's persister reads."),
        cfg.StrOpt("region", default="RegionOne", mutable=True,
                   help="The region that the metrics are of."),
    ]

    def __init__(self, conf, accounts: Accounts) -> None:
        super().__init__(conf, accounts)
        self._publisher = monasca_kafka.Publisher(conf)

    def push(self, measures: Sequence[Measure]) -> Sequence[Refusal]:
        now = round(time.time())
        self._publisher.publish([Record(
            one.project_id.encode(),
            orjson.dumps(envelope(one, self.conf.region, now)), {})
            for one in measures])
        return ()

    def close(self) -> None:
        self._publisher.close()


def envelope(measure: Measure, region: str, now: int) -> dict:
    """Return a metric as Monasca's API puts it onto the topic.

    :param now: when it is made, seconds since the epoch
    """
    return {"metric": metric(measure), "creation_time": now,
            "meta": {"tenantId": measure.project_id, "region": region}}
