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

"""How far event time has come, on each road by which a tenant's events come.

Events reach the engine a little after they happened and not quite in order.
So they wait until ``lateness`` has passed since they happened, and are then
taken in the order of their time; a deadline passes when event time has
reached it. Where a road is late (an agent that was cut off delivers an hour's
events), event time on it lags by as much as its events were late of late, and
by a few seconds more in which still later ones may come, so that an end which
is on its way is not reported missing. One tenant's late road holds up no
other's.
"""

#: Seconds over which lateness is remembered: at least this, at most twice.
PERIOD = 10.0

#: Beyond so many seconds a road counts as late, and further events are waited
#: for by as much as it exceeds this, up to MARGIN.
NOTABLE = 2.0
MARGIN = 5.0

Road = tuple[str, str]
"""A project id and the ``source`` of its events."""


class Roads:
    """Event time on every road. Pure: times are arguments."""

    def __init__(self) -> None:
        # road → [period, most late in it, most late in the one before]
        self._late: dict[Road, list[float]] = {}

    def observe(self, road: Road, at: float, now: float, lateness: float,
                most: float) -> None:
        """Take note that an event of time ``at`` came at ``now``.

        :param lateness: seconds that are usual; less is not remembered
        :param most: seconds for which a late road is waited for at most
        """
        late = min(now - at, most)
        if late <= lateness:
            return
        period = now // PERIOD
        known = self._late.get(road)
        if known is None:
            self._late[road] = [period, late, 0.0]
            return
        self._turn(known, period)
        known[1] = max(known[1], late)

    @staticmethod
    def _turn(known: list[float], period: float) -> None:
        if known[0] != period:
            known[2] = known[1] if known[0] == period - 1 else 0.0
            known[0], known[1] = period, 0.0

    def reached(self, road: Road, now: float, lateness: float) -> float:
        """Return how far event time has come on a road.

        What happened up to then has been seen, as far as lateness is bounded.
        """
        known = self._late.get(road)
        if known is None:
            return now - lateness
        self._turn(known, now // PERIOD)
        late = max(known[1], known[2])
        if not late:
            del self._late[road]
        return now - max(lateness, late) - min(max(late - NOTABLE, 0.0),
                                               MARGIN)
