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


"""Replaying the dead letters of those that read the bus: back onto it."""

from monasca_events_common.bus import get_bus
from monasca_events_common.bus import Record
from monasca_events_common.deadletters import DeadLetter


class BusReplayer:
    """Publishes letters again as they came.

    All that read the bus see them then, not only the stage whose letter it
    was; ids make a repeat harmless.
    """

    def __init__(self, conf) -> None:
        self._topic = conf.bus.topic
        self._bus = get_bus(conf)

    def replay(self, letter: DeadLetter) -> None:
        """Return once the letter is on the bus. Raises BusUnavailable."""
        self._bus.publish(self._topic, [Record(
            key=(letter.project_id or "").encode(), value=letter.raw,
            headers={name: value.encode("latin-1")
                     for name, value in letter.headers.items()})])

    def close(self) -> None:
        """Let go of the bus."""
        self._bus.close()
