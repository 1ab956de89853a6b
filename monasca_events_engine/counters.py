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

"""What the engine counts of its deliveries, for Prometheus."""

import prometheus_client

DELIVERIES = prometheus_client.Counter(
    "monasca_events_deliveries",
    "Attempts by action and by what became of the delivery: delivered, "
    "failed (tried again), parked, cancelled.", ["action", "outcome"])
QUEUED = prometheus_client.Gauge(
    "monasca_events_deliveries_queued",
    "Deliveries that wait in memory for a thread.")
QUEUED_SECONDS = prometheus_client.Histogram(
    "monasca_events_delivery_queued_seconds",
    "Time that a delivery waited in memory.")
SECONDS = prometheus_client.Histogram(
    "monasca_events_delivery_seconds", "Time that an attempt takes.",
    ["action"])
