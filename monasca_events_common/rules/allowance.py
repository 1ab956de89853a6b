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


"""What the transforms of a project may spend on one event, all together.

Each operation is cheap, but a tenant may write a thousand of them and send an
event of a hundred thousand numbers: what looks at elements or copies values
takes that off here. Beyond it the transforms have failed for that event.
"""

from monasca_events_common import metrics

#: Elements of arrays, and nodes of expressions, that may be looked at: some
#: 20 ms.
MAX_STEPS = 50_000

#: Characters and values that may be copied, about as bytes.
MAX_COPIED = 1024 * 1024

#: Nested objects and arrays of what is copied; orjson writes 254.
MAX_DEPTH = 200

#: What a value takes beside its characters.
_EACH = 8


class Failed(Exception):
    """A transform has no sensible outcome for an event.

    The message says why and never holds a value of the event: it is stored.
    """


class Allowance:
    """What is left for one event."""

    __slots__ = ("_steps", "_copied")

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._copied = MAX_COPIED

    def step(self, number: int = 1) -> None:
        """Take that many steps. Raises Failed when there are no more."""
        self._steps -= number
        if self._steps < 0:
            metrics.LIMITED.labels("transform_steps").inc()
            raise Failed(f"the transforms look at more than {MAX_STEPS} "
                         "elements of the event")

    def copy(self, value, depth: int = 0):
        """Return a value's deep copy. Raises Failed when it is too much."""
        kind = type(value)
        self._copied -= _EACH + (len(value) if kind is str else 0)
        if self._copied < 0:
            metrics.LIMITED.labels("transform_copied").inc()
            raise Failed(f"the transforms copy more than {MAX_COPIED} bytes")
        if depth > MAX_DEPTH:
            raise Failed(f"the transforms nest more than {MAX_DEPTH} levels")
        if kind is dict:
            return {self.copy(key): self.copy(below, depth + 1)
                    for key, below in value.items()}
        if kind is list:
            return [self.copy(below, depth + 1) for below in value]
        return value
