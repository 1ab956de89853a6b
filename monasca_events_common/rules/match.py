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

"""The kind ``match``: fires for every event that its pattern matches."""

from collections.abc import Mapping, Sequence

from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.firing import FIRED
from monasca_events_common.rules.trigger import seconds
from monasca_events_common.rules.trigger import Trigger


class Match(Trigger):
    """Judges each event by itself, at once, and keeps no state.

    Looks at no more of an event than its ids, its type and its time.
    """

    __slots__ = ()

    is_ordered = False
    needs_all = False
    needs_head = False

    def observe(self, event: Mapping, slots: Sequence[str]
                ) -> Sequence[Finding]:
        # Spelt out: most decisions are made here.
        return (Finding(FIRED, seconds(event["timestamp"]),
                        (event["event_id"],), event["event_type"], None,
                        None, None, event),)


_MATCH = Match()


def make() -> Match:
    """Return the only one there is, which serves all rules and groups."""
    return _MATCH
