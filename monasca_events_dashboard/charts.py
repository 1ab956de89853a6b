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

"""What the template of a histogram is given."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monasca_events_dashboard import histogram
from monasca_events_dashboard.histogram import Bar


def chart(bars: Sequence[Bar], unit: str, parts: Mapping[str, str],
          url: Callable[[Bar], str] | None = None) -> dict[str, Any]:
    """Return a chart.

    :param unit: what is counted, as the head of a column
    :param parts: name → label of the parts of a bar, from below
    :param url: where choosing a bar leads
    """
    return {"unit": unit, "parts": parts, "total": histogram.total(bars),
            "bars": [{"bar": one, "url": url(one) if url else None,
                      "numbers": [one.count, *(one.parts.get(name, 0)
                                               for name in parts)]}
                     for one in bars]}
