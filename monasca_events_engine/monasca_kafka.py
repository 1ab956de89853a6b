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

"""Monasca's Kafka, which is another one than ours or another topic of it."""

from collections.abc import Sequence

from oslo_config import cfg

from monasca_events_common import bus
from monasca_events_common import plugins
from monasca_events_common.bus import kafka_options
from monasca_events_common.bus import Record
from monasca_events_common.errors import Misconfigured

# Publishing needs these of the options of Kafka.
_KAFKA = ("uri", "security_protocol", "sasl_mechanism", "sasl_username",
          "sasl_password", "ssl_cafile", "ssl_certfile", "ssl_keyfile",
          "ssl_check_hostname", "partitions", "replication", "compression",
          "max_record_bytes", "publish_timeout")

OPTS = [
    cfg.StrOpt("driver", default="kafka", choices=["kafka", "confluent"],
               help="The client library that speaks with Monasca's Kafka."),
    *(opt for opt in kafka_options.OPTS if opt.name in _KAFKA),
]


class Publisher:
    """Publishes to a topic. Safe for several threads."""

    def __init__(self, conf) -> None:
        """:param conf: an option group with OPTS and ``topic``"""
        self.conf = conf
        self._bus: bus.Bus | None = None
        try:
            self._bus = plugins.load(bus.NAMESPACE, conf.driver)(conf)
        except Misconfigured as error:
            # Where there is no Kafka its library is missing too, which
            # concerns nobody until something is published.
            self._missing = str(error)

    def publish(self, records: Sequence[Record]) -> None:
        """Return once Kafka has them.

        :raises BusUnavailable: it has none or some of them
        :raises Misconfigured: its library is missing
        """
        if self._bus is None:
            raise Misconfigured(self._missing)
        self._bus.publish(self.conf.topic, records)

    def close(self) -> None:
        """Release connections. May be called twice."""
        if self._bus is not None:
            self._bus.close()
