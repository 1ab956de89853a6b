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

"""Plug-ins that the tests of isolation enable by their spelling."""

from oslo_config import cfg

from monasca_events_common.errors import Misconfigured
from monasca_events_common.rules.trigger import Family
from monasca_events_common.rules.trigger import fired
from monasca_events_common.rules.trigger import Trigger

PATTERNS = {"any": {"event_type": [{"prefix": "compute."}]}}


class Raises(Trigger):
    """Fails at each event."""

    patterns = PATTERNS
    is_ordered = False

    def observe(self, event, slots):
        raise RuntimeError("broken on purpose")


class RaisesLater(Trigger):
    """Fails at its deadline, and keeps state."""

    patterns = PATTERNS
    group_by = ("resource_id",)

    def observe(self, event, slots):
        self.deadline = 1795341600.0 + 10
        return ()

    def tick(self, now):
        raise KeyError("broken on purpose")


class Tuned(Trigger):
    """Fires when the memory of an instance is above an option."""

    patterns = PATTERNS
    is_ordered = False
    GROUP = "tuned"
    OPTS = [cfg.IntOpt("above", default=10, mutable=True, help="The bound."),
            cfg.StrOpt("event_type", mutable=True, help="The pattern.")]

    @classmethod
    def configure(cls, conf):
        made = super().configure(conf)
        if conf.event_type == "impossible":
            raise Misconfigured("[tuned] event_type cannot be impossible")
        if conf.event_type:
            made.patterns = {"any": {"event_type": [conf.event_type]}}
        return made

    def observe(self, event, slots):
        if event["traits"].get("memory_mb", 0) > self.conf.above:
            return [fired(event, "too large")]
        return ()


class Several(Family):
    """Two triggers, of one class each."""

    @classmethod
    def configure(cls, conf):
        return {"first": Fires, "second": Fires}


class Fires(Trigger):
    """Fires at each event."""

    patterns = PATTERNS
    is_ordered = False

    def observe(self, event, slots):
        return [fired(event, "seen")]


class BadPattern(Trigger):
    """Has a pattern that is not in the grammar."""

    patterns = {"any": {"no_such_field": ["x"]}}

    def observe(self, event, slots):
        return ()


class CannotBeMade(Family):
    """Fails while it is configured."""

    @classmethod
    def configure(cls, conf):
        raise ZeroDivisionError("while configuring")


def not_a_class():
    """No plug-in."""
