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

"""Counters that every stage keeps, for Prometheus.

One set of names for all stages, so that at a quiet point
``received = passed + dead + dropped + in flight`` can be read off with one
query; repeats are among what was passed. Labels never hold a project id:
their number must stay bounded.
"""

import logging

import prometheus_client

LOG = logging.getLogger(__name__)

STAGE = "stage"

RECEIVED = prometheus_client.Counter(
    "monasca_events_received", "Events that reached a stage.", [STAGE])
PASSED = prometheus_client.Counter(
    "monasca_events_passed",
    "Events that a stage handed on durably (published, posted or stored).",
    [STAGE])
REPEATED = prometheus_client.Counter(
    "monasca_events_repeated", "Events that were already there.", [STAGE])
DEAD = prometheus_client.Counter(
    "monasca_events_dead", "Events put into the dead letters.",
    [STAGE, "code"])
DROPPED = prometheus_client.Counter(
    "monasca_events_dropped", "Events dropped by a documented policy.",
    [STAGE, "reason"])
REJECTED = prometheus_client.Counter(
    "monasca_events_rejected", "Events refused to their sender.",
    [STAGE, "code"])
HELD = prometheus_client.Counter(
    "monasca_events_held", "Times a stage had to wait for the next one.",
    [STAGE, "code"])
LIMITED = prometheus_client.Counter(
    "monasca_events_limited",
    "Times that a limit cut something short; the reference says what.",
    ["limit"])
BROKEN = prometheus_client.Counter(
    "monasca_events_broken",
    "Times that a plug-in or a definition failed and was passed over.",
    ["name"])
FIRINGS = prometheus_client.Counter(
    "monasca_events_firings", "Firings that are durable.", ["outcome"])
IN_FLIGHT = prometheus_client.Gauge(
    "monasca_events_in_flight", "Events that a stage has in hand.", [STAGE])
LAG = prometheus_client.Gauge(
    "monasca_events_lag", "Records on the bus not yet committed.",
    ["group", "partition"])
SECONDS = prometheus_client.Histogram(
    "monasca_events_batch_seconds", "Time a stage takes for one batch.",
    [STAGE])


def serve(conf, service: str, worker_id: int) -> None:
    """Serve /metrics in the background when the service has a port.

    A port that is taken is worth a warning and no more: events matter more
    than their numbers.

    :param conf: the group ``[metrics]``
    :param service: ``api``, ``agent``, ``persister``
    """
    port = conf.ports.get(service)
    if not port:
        return
    try:
        prometheus_client.start_http_server(port + worker_id, addr=conf.host)
    except OSError as error:
        LOG.warning("no metrics are served on %s port %d: %s", conf.host,
                    port + worker_id, error)
