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


"""Sources: what gives the value that the operation ``set`` writes."""

from collections.abc import Callable, Mapping
import dataclasses

from monasca_events_common import event as events
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.allowance import Allowance
from monasca_events_common.rules.paths import holders
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.projection import Projection

# Tenths of a microsecond, about: of a path, of a projection and of each of
# its nodes.
_PATH, _PROJECTION, _NODE = 8, 30, 8


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What gives a value.

    :ivar value: called with the event; what it returns shares no object with
        it. None where there is none. Raises Failed.
    :ivar cost: about how many tenths of a microsecond that takes
    """

    value: Callable[[Mapping, Allowance], object]
    cost: int


def parse_source(value, where: str) -> Source:
    """Return the source that an operand of ``set`` is.

    :param where: its path in the definition
    :raises Rejected: it is neither a constant nor a path nor a projection
    """
    if isinstance(value, dict):
        if set(value) == {"path"}:
            path = Path(value["path"], f"{where}.path")
            return Source(lambda event, allowance: allowance.copy(
                _first(event, path, allowance)), _PATH)
        if set(value) == {"jmespath"}:
            projection = Projection(value["jmespath"], f"{where}.jmespath")
            return Source(lambda event, allowance: allowance.copy(
                projection.value(event, allowance)),
                _PROJECTION + _NODE * projection.nodes)
        raise Rejected(f'{where} is an object; expected {{"path": PATH}}, '
                       '{"jmespath": EXPRESSION} or a plain value',
                       code="invalid_transform", where=where)
    if isinstance(value, list) or value is None or events.trait_type(
            value) is None:
        raise Rejected(f"{where} is {str(value)[:80]}; expected a string, a "
                       "number, true or false",
                       code="invalid_transform", where=where)
    if type(value) is str and len(value) > events.MAX_STRING:
        raise Rejected(f"{where} is a string of {len(value)} characters; "
                       f"expected at most {events.MAX_STRING}",
                       code="invalid_transform", where=where)
    return Source(lambda event, allowance: allowance.copy(value), 0)


def _first(event: Mapping, path: Path, allowance: Allowance):
    """Return the first scalar that stands at a path, or None."""
    for holder, key in holders(event, path, allowance):
        found = _scalar(holder[key], allowance)
        if found is not None:
            return found
    return None


def _scalar(value, allowance: Allowance):
    if type(value) is not list:
        return None if type(value) is dict else value
    for one in value:
        allowance.step()
        found = _scalar(one, allowance)
        if found is not None:
            return found
    return None
