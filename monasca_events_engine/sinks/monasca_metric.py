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

"""Measures as Monasca's metrics, in the two forms that it takes them in."""

from collections.abc import Mapping
import re

from monasca_events_engine.measures import Measure
from monasca_events_engine.sinks import named

#: Characters of a name and of a dimension that Monasca keeps.
MAX_NAME = 255

# What Monasca's API refuses in names of metrics and in dimensions.
_FORBIDDEN = re.compile(r"[<>={}(),\"'\\;&\x00-\x1f]+")


def metric(measure: Measure) -> dict:
    """Return the metric: name, dimensions, milliseconds, value."""
    return {"name": _clean(measure.name),
            "dimensions": _dimensions(named(measure)),
            "timestamp": round(measure.at * 1000), "value": measure.value,
            "value_meta": None}


def _dimensions(labels: Mapping[str, str]) -> dict[str, str]:
    found = {_clean(name): _clean(text) for name, text in labels.items()}
    return {name: text for name, text in found.items() if name and text}


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("_", text.strip())[:MAX_NAME]
