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


"""Sending dead letters on their way again, each by its stage's plug-in.

Used by ``monasca-events-dead-letters`` and by the API. A letter is forgotten
once it was handed on and not before.
"""

from oslo_config import cfg

from monasca_events_common import plugins
from monasca_events_common.deadletters import DeadLetters

#: Namespace of what replays a stage's letters: a class taking the
#: configuration, with ``replay(letter)`` and ``close()``.
NAMESPACE = "monasca_events.replayers"


class Replayers:
    """What replays letters, loaded for the stages that have some.

    Used from one thread; ``close`` releases what the plug-ins opened.
    """

    def __init__(self, conf: cfg.ConfigOpts, letters: DeadLetters) -> None:
        self._conf = conf
        self._letters = letters
        self._loaded: dict[str, object] = {}

    def replay(self, letter_id: int) -> None:
        """Return once a letter was handed on and is forgotten.

        :raises NotFound: there is none
        :raises Rejected: it is still what it was rejected for
        :raises Unavailable: what it goes to is away
        :raises Misconfigured: its stage's plug-in is not here
        """
        letter = self._letters.get(letter_id)
        if letter.stage not in self._loaded:
            self._loaded[letter.stage] = plugins.load(
                NAMESPACE, letter.stage)(self._conf)
        self._loaded[letter.stage].replay(letter)
        # A crash between the two replays it twice, which ids make harmless.
        self._letters.remove([letter_id])

    def close(self) -> None:
        for one in self._loaded.values():
            one.close()
        self._loaded.clear()
