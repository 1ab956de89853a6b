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

"""Replaying the agent's dead letters, for ``monasca-events-dead-letters``.

Works beside a running agent: the spool's file may be used by several
processes, and the agent's poster finds what is added here.
"""

import threading

from oslo_config import cfg

from monasca_events_agent import agent
from monasca_events_agent.pipeline import Outcome
from monasca_events_agent.sources import Notice
from monasca_events_agent.spool import Spool
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import get_dead_letters
from monasca_events_common.errors import Rejected


class Replayer:
    """Sends letters of the stage ``agent`` through the pipeline again."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        agent.register(conf)
        self._spool = Spool(conf.spool)
        self._letters = get_dead_letters(conf)
        self._pipeline = agent.make_pipeline(conf, self._spool,
                                             self._letters, threading.Event())

    def replay(self, letter: DeadLetter) -> None:
        """Return once the notification's event is spooled, or dropped by a
        policy. Raises Rejected when it is still none, Unavailable."""
        notice = Notice(letter.raw, letter.position)
        outcome: Outcome = self._pipeline.prepare([notice], letter.first_at)
        if outcome.letters:
            again = outcome.letters[0]
            raise Rejected(again.reason, code=again.code)
        self._spool.append(outcome.events)

    def close(self) -> None:
        """Release the files."""
        self._spool.close()
        self._letters.close()


class PosterReplayer:
    """Posts letters of the stage ``poster`` again, by way of the spool."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        agent.register(conf)
        self._spool = Spool(conf.spool)

    def replay(self, letter: DeadLetter) -> None:
        """Return once the event is spooled. Raises Unavailable."""
        self._spool.append([letter.raw])

    def close(self) -> None:
        """Release the file."""
        self._spool.close()
