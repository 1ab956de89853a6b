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

"""Transitions of instances that were never seen before.

What an instance does is nearly always what instances have done before. So
each project's transitions are learnt for a while, together with those that
the operator knows of the whole cloud, and after that each new one is told,
once. Each project learns by itself: what the engine remembers belongs to a
project and moves with its events from one engine to another.
"""

from collections.abc import Mapping, Sequence

from oslo_config import cfg
import yaml

from monasca_events_common import metrics
from monasca_events_common.errors import Misconfigured
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.trigger import fired
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine.transitions import transition
from monasca_events_engine.transitions import UPDATED

#: Transitions that are remembered of a project; clouds have a few hundred.
MAX_SEEN = 2000


class NeverSeenTransition(Trigger):
    """What instances of one project have done so far.

    :cvar known: transitions that need not be learnt
    """

    __slots__ = ("since", "seen")

    severity = "MEDIUM"
    # Others could make up states by posting events.
    patterns = {"update": {"event_type": list(UPDATED),
                           "source": ["notification"]}}
    known: frozenset[str] = frozenset()

    GROUP = "never_seen_transition"
    OPTS = [
        cfg.FloatOpt("learning_seconds", default=7 * 86400.0, min=0.0,
                     mutable=True,
                     help="Seconds from a project's first transition in which "
                          "its transitions are learnt and none is told."),
        cfg.StrOpt("known_file", mutable=True,
                   help="A file that monasca-events-learn wrote. The "
                        "transitions that it lists need not be learnt. It is "
                        "read when the engine starts and when the option "
                        "changes."),
    ]

    @classmethod
    def configure(cls, conf) -> type[Trigger]:
        made = super().configure(conf)
        if conf.known_file:
            made.known = _read(conf.known_file, cls.GROUP)
        return made

    def __init__(self) -> None:
        self.since: float | None = None
        self.seen: dict[str, None] = {}

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        found = transition(event)
        if found is None:
            return ()
        at = seconds(event["timestamp"])
        if self.since is None:
            self.since = at
        if found in self.known or found in self.seen:
            return ()
        if len(self.seen) >= MAX_SEEN:
            metrics.LIMITED.labels("transitions").inc()
            return ()
        self.seen[found] = None
        if at < self.since + self.conf.learning_seconds:
            return ()
        return [fired(event, f"instance {event['resource_id']} did what none "
                      f"has done before: {found}")]

    def dump(self) -> object | None:
        return None if self.since is None else [self.since, list(self.seen)]

    def load(self, state: object) -> None:
        self.since, seen = state
        self.seen = dict.fromkeys(seen)

    def describe(self, now: float) -> str:
        if self.since is None:
            return "has seen no transition"
        left = self.since + self.conf.learning_seconds - now
        return f"has learnt {len(self.seen)} transitions" + (
            f" and goes on learning for {left:.0f} s" if left > 0 else "")


def _read(path: str, group: str) -> frozenset[str]:
    try:
        with open(path, encoding="utf-8") as file:
            found = yaml.safe_load(file)["transitions"]
        return frozenset(str(one["transition"]) for one in found)
    except OSError as error:
        raise Misconfigured(f"[{group}] known_file: {path}: "
                            f"{error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"[{group}] known_file: {path} is no file of "
            f"monasca-events-learn: {type(error).__name__}") from error
