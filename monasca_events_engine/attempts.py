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

"""One attempt at a delivery: what the action gets, and what came of it.

Called from the dispatcher's threads. Nothing here writes to the database or
knows of queues; an attempt ends as an outcome, whatever the action raises.
"""

from collections.abc import Callable
import logging
import random
import time

import orjson

from monasca_events_common.catalog import Definition
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine import counters
from monasca_events_engine import retry
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Actions
from monasca_events_engine.actions import Delivery
from monasca_events_engine.deliveries import Entry
from monasca_events_engine.methods import Methods
from monasca_events_engine.methods import UnknownMethod
from monasca_events_engine.retry import Outcome

LOG = logging.getLogger(__name__)

#: Seconds for which a delivery waits that the operator's mistake holds up.
MISTAKE_SECONDS = 60.0


class Attempts:
    """Executes entries. Safe for several threads."""

    def __init__(self, actions: Actions, methods: Methods, conf,
                 clock: Callable[[], float] = time.time) -> None:
        """:param conf: has the group ``retry_engine``"""
        self._actions = actions
        self._methods = methods
        self._conf = conf
        self._clock = clock
        self._rng = random.Random()  # noqa: S311 - jitter

    def target(self, entry: Entry) -> str:
        """Return what an entry goes to; the same for equal targets.

        :raises Rejected: there is no such target or action
        :raises UnknownMethod: its method is not known
        """
        method = self._method(entry)
        action = self._actions.get(entry.action)
        try:
            found = action.target(entry.project_id,
                                  method.content if method else None)
        except Rejected:
            raise
        except Exception as error:
            # The edge of plug-ins: this is called in the engine's thread.
            LOG.exception("the action %s cannot tell where it goes",
                          entry.action)
            raise Rejected("the action cannot tell where it goes: "
                           f"{type(error).__name__}") from error
        return f"{entry.action} {found}"

    def knows(self, entry: Entry) -> bool:
        """Return whether an entry's method is known, or it needs none."""
        try:
            self._method(entry)
        except UnknownMethod:
            return False
        return True

    def _method(self, entry: Entry) -> Definition | None:
        """Return its method, None where it needs none."""
        if entry.method_id is None:
            return None
        return self._methods.get(entry.project_id, entry.method_id)

    def make(self, target: str, entry: Entry) -> tuple[Outcome, bool | None]:
        """Make one attempt; return the outcome and whether the target
        answered well, None where that says nothing about it.

        :raises Misconfigured: the operator has to put something right before
            an attempt can be made
        :raises UnknownMethod: its method is not known any more
        """
        try:
            action = self._actions.get(entry.action)
            delivery = self._delivery(target, entry)
        except Rejected as error:
            return retry.given_up(entry.delivery_id, entry.attempts,
                                  self._clock(), str(error)), None
        except ValueError as error:
            LOG.exception("delivery %s cannot be read", entry.delivery_id)
            return retry.given_up(
                entry.delivery_id, entry.attempts, self._clock(),
                f"it cannot be read: {type(error).__name__}"), None
        with counters.SECONDS.labels(self.label(entry.action)).time():
            return self._execute(action, delivery)

    def label(self, action: str) -> str:
        """Return an action's name in metrics and lines of the log."""
        # Their number must stay small, whatever rows say.
        return action if action in self._actions.names() else "unknown"

    def _delivery(self, target: str, entry: Entry) -> Delivery:
        if entry.content is None:
            raise Rejected("its firing is no longer in the history")
        method = self._method(entry)
        return Delivery(
            entry.delivery_id, entry.project_id, entry.attempts + 1,
            orjson.loads(entry.content), method.content if method else None,
            self._methods.keys(method, self._clock()) if method else (),
            target)

    def _execute(self, action: Action, delivery: Delivery
                 ) -> tuple[Outcome, bool | None]:
        try:
            result = action.execute(delivery)
        except Rejected as error:
            return retry.given_up(delivery.delivery_id, delivery.attempt,
                                  self._clock(), str(error)), None
        except Unavailable as error:
            failure, retry_after = str(error), error.retry_after
        except Misconfigured as error:
            LOG.error("delivery %s of project %s: %s", delivery.delivery_id,
                      delivery.project_id, error)
            failure, retry_after = str(error), MISTAKE_SECONDS
        except Exception as error:
            # The edge of plug-ins, a third party's among them: what escapes
            # one delivery must not end the thread that makes all others.
            LOG.exception("delivery %s: the action failed in a way that it "
                          "does not know", delivery.delivery_id)
            failure, retry_after = type(error).__name__, 0.0
        else:
            return retry.delivered(delivery.delivery_id, delivery.attempt,
                                   self._clock(), result,
                                   action.MAX_RESULT), True
        return retry.failed(delivery.delivery_id, delivery.attempt,
                            self._clock(), failure, retry_after,
                            self._conf.retry_engine, self._rng), False
