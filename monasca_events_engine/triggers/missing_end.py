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

"""Missing ends: what has begun in the cloud and did not end in time.

One trigger for each lifecycle of the table, named after it, such as
``missing_end.instance-create``. It tells when the time is up, and again when
the end comes after all.
"""

from collections.abc import Mapping, Sequence

from oslo_config import cfg
from oslo_config import types

from monasca_events_common.errors import Misconfigured
from monasca_events_common.rules.duration import END
from monasca_events_common.rules.duration import START
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.sequence import Steps
from monasca_events_common.rules.sequence import UNLESS
from monasca_events_common.rules.trigger import Family
from monasca_events_common.rules.trigger import Trigger
from monasca_events_engine import lifecycles


class MissingEnd(Steps):
    """Waits for the end of one lifecycle.

    :cvar lifecycle: which one
    :cvar keys: paths of what start and end have in common
    """

    severity = "MEDIUM"
    lifecycle: Lifecycle
    keys: Sequence[Path]

    def __init__(self) -> None:
        name = self.lifecycle.name
        seconds = self.conf.seconds_of.get(
            name, self.conf.seconds or self.lifecycle.seconds)
        super().__init__((START, END), seconds, absence=True)

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        if lifecycles.lacks_key(self.keys, event):
            return ()
        return super().observe(event, slots)


class MissingEnds(Family):
    """A trigger for each lifecycle that is wanted."""

    GROUP = "missing_end"
    OPTS = [
        lifecycles.option(
            "whose end missing_end waits for. Neutron says nothing when it "
            "refuses a request that it announced, which looks like a missing "
            "end."),
        cfg.FloatOpt("seconds", min=0.1, mutable=True,
                     help="Seconds within which whatever has begun must end. "
                          "Unless set, each lifecycle has seconds of its "
                          "own."),
        cfg.Opt("seconds_of", default={}, mutable=True,
                type=types.Dict(value_type=types.Float(min=0.1)),
                help="Seconds for some lifecycles, such as "
                     "instance-create:600,volume-backup:86400. "
                     "monasca-events-learn proposes them from what was "
                     "stored."),
    ]

    @classmethod
    def configure(cls, conf) -> Mapping[str, type[Trigger]]:
        for name in conf.seconds_of:
            if name not in LIFECYCLES:
                raise Misconfigured(
                    f"[{cls.GROUP}] seconds_of: there is no lifecycle "
                    f"{name!r}")
        return {name: lifecycles.watch(
            MissingEnd, LIFECYCLES[name], conf, {
                START: LIFECYCLES[name].start, END: LIFECYCLES[name].end,
                UNLESS: lifecycles.unless(LIFECYCLES[name])},
            needs_all=False)
            for name in lifecycles.chosen(conf.lifecycles, cls.GROUP)}
