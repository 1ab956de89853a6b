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

"""statsd: one datagram for a few measures, and no answer.

What the network loses is lost; so is what is sent while nobody listens. A
repeat after a crash counts twice.
"""

from collections.abc import Iterator, Sequence
import re
import socket

from oslo_config import cfg

from monasca_events_common.errors import Unavailable
from monasca_events_engine.account import Accounts
from monasca_events_engine.measures import COUNTER
from monasca_events_engine.measures import HISTOGRAM
from monasca_events_engine.measures import Measure
from monasca_events_engine.sinks import named
from monasca_events_engine.sinks import Refusal
from monasca_events_engine.sinks import Sink

#: Bytes of a datagram, which no network between two hosts cuts.
MAX_DATAGRAM = 1400

_NAME = re.compile(r"[^A-Za-z0-9_.\-]+")
_TAG = re.compile(r"[,|#\s]+")


class Statsd(Sink):
    """Sends measures by UDP."""

    GROUP = "statsd"
    OPTS = [
        cfg.HostAddressOpt("host", default="127.0.0.1",
                           help="Where statsd listens."),
        cfg.PortOpt("port", default=8125, help="Its port."),
        cfg.StrOpt("prefix", default="monasca_events", mutable=True,
                   help="What the names of metrics begin with, before a "
                        "dot."),
        cfg.BoolOpt("tags", default=True, mutable=True,
                    help="Whether labels, project and resource are sent as "
                         "tags, as DogStatsD and Monasca's agent take them. "
                         "Plain statsd knows none; then labels' values are "
                         "appended to the name."),
    ]

    def __init__(self, conf, accounts: Accounts) -> None:
        super().__init__(conf, accounts)
        self._socket: socket.socket | None = None

    def push(self, measures: Sequence[Measure]) -> Sequence[Refusal]:
        try:
            if self._socket is None:
                family, kind, protocol, _, address = socket.getaddrinfo(
                    self.conf.host, self.conf.port, type=socket.SOCK_DGRAM
                )[0]
                self._socket = socket.socket(family, kind, protocol)
                self._socket.connect(address)
            for datagram in self._datagrams(measures):
                self._socket.send(datagram)
        except OSError as error:
            self.close()
            raise Unavailable(f"statsd cannot be reached: {error.strerror}"
                              ) from error
        return ()

    def _datagrams(self, measures: Sequence[Measure]) -> Iterator[bytes]:
        lines: list[bytes] = []
        size = 0
        for one in measures:
            line = self.line(one).encode()
            if lines and size + len(line) >= MAX_DATAGRAM:
                yield b"\n".join(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line) + 1
        if lines:
            yield b"\n".join(lines)

    def line(self, measure: Measure) -> str:
        """Return what statsd reads of a measure."""
        # A duration is a timer, which statsd wants in milliseconds.
        value, kind = {
            COUNTER: (measure.value, "c"),
            HISTOGRAM: (measure.value * 1000, "ms"),
        }.get(measure.kind, (measure.value, "g"))
        name = f"{self.conf.prefix}.{measure.name}"
        tags = ""
        if self.conf.tags:
            labels = {"project_id": measure.project_id, **named(measure)}
            tags = "|#" + ",".join(f"{_NAME.sub('_', label)}:"
                                   f"{_TAG.sub('_', text)}"
                                   for label, text in labels.items())
        else:
            name = ".".join([name, *(
                text.replace(".", "_") for _, text
                in sorted(measure.labels.items()))])
        return f"{_NAME.sub('_', name)}:{value:.15g}|{kind}{tags}"

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
