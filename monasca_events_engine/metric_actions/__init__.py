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

"""Metric actions: what measures the cloud by its events.

A metric action is a trigger that returns measures instead of findings. Each
is named in ``[engine] enabled_metric_actions``; those that come with the
project are siblings of this file and found by their entry points, as a third
party's are.
"""

import abc
from collections.abc import Mapping, Sequence

from oslo_config import cfg

from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine.measures import Measure

#: Labels that are made of traits of other names, the first one that is there.
TRAITS: Mapping[str, Sequence[str]] = {"image": ("image_name", "image_id")}


class MetricAction(Trigger):
    """A trigger that measures.

    What it returns is added to the totals that Prometheus reads, in the
    transaction of its state, and handed on to each of ``[metric_sinks]
    enabled``. Where it is ordered, an event that comes twice counts once.
    """

    @abc.abstractmethod
    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Measure]:
        """Take note of an event; return what that measures.

        As :meth:`Trigger.observe` otherwise.
        """


def labels_option(default: Sequence[str]) -> cfg.Opt:
    """Return the option ``labels`` of a metric action."""
    return cfg.ListOpt(
        "labels", default=list(default), mutable=True,
        help="Traits of the event that become labels of the metric; image is "
             "the image's name, or else its id. Each combination of values "
             "is a time series, so a label is to have few values.")


def labels(event: Mapping, names: Sequence[str]) -> dict[str, str]:
    """Return label → value of those traits that an event has."""
    traits = event["traits"]
    found = {}
    for name in names:
        for trait in TRAITS.get(name, (name,)):
            value = traits.get(trait)
            if value is not None:
                found[name] = str(value)
                break
    return found
