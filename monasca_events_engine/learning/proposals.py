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

"""Proposals: definitions of triggers made of what was learnt.

Each is a definition as ``POST /v1.0/triggers`` takes it, whole but for whom
to notify. An operation gets a trigger for each flavour of which there is
enough, and one for the rest.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import math
import re

from monasca_events_common.rules.definition import MAX_SECONDS
from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_engine.learning.chains import Chain
from monasca_events_engine.learning.model import Model
from monasca_events_engine.learning.model import Transition
from monasca_events_engine.learning.requests import BY_REQUEST
from monasca_events_engine.learning.samples import Durations
from monasca_events_engine.learning.samples import Samples
from monasca_events_engine.lifecycles import unless
from monasca_events_engine.transitions import UPDATED

#: States of instances that the trigger of transitions tells apart; nova has
#: about a dozen.
MAX_STATES = 24

#: What the name of a step cannot have.
_UNSPEAKABLE = re.compile("[^A-Za-z0-9_.: -]")


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What people want of proposals.

    :ivar percentile: of the durations, which becomes the deadline
    :ivar least: samples without which nothing is proposed
    :ivar share: see :func:`chains.chains`
    """

    percentile: float = 99.0
    least: int = 30
    share: float = 0.9


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One operation and flavour.

    :ivar operation: a lifecycle's name, or the first and last event type
    :ivar flavor: None for all of them together
    :ivar count: samples, the durations of what ended well
    :ivar unended: how many neither ended nor failed; None where not known
    :ivar p50, p95: percentiles in seconds, None without samples
    :ivar deadline: seconds that are proposed, None where there is too little
    """

    operation: str
    flavor: str | None
    count: int
    unended: int | None
    p50: float | None
    p95: float | None
    deadline: float | None


@dataclasses.dataclass(slots=True)
class Proposals:
    """What is proposed.

    :ivar rows: each operation, and those of its flavours of which there is
        enough
    :ivar triggers: definitions, by names that are unique
    :ivar seconds_of: lifecycle → seconds, for ``[missing_end]``
    """

    rows: list[Row] = dataclasses.field(default_factory=list)
    triggers: list[dict] = dataclasses.field(default_factory=list)
    seconds_of: dict[str, float] = dataclasses.field(default_factory=dict)


#: Makes a definition of a name, the start's traits, seconds and a sentence.
_Make = Callable[[str, Mapping | None, float, str], dict]


def propose(model: Model, wish: Wish,
            told: Callable[[int, int], None] = lambda done, of: None
            ) -> Proposals:
    """Return what a model leads to.

    :param told: see :func:`chains.chains`, which may take a while
    """
    found = Proposals()
    for span in model.spans.found():
        one = span.lifecycle
        deadline = _add(found, wish, one.name, span.durations, span.unended,
                        lambda *given, one=one: _absence(one, *given))
        if deadline is not None and one.name in LIFECYCLES:
            found.seconds_of[one.name] = deadline
    for chain in model.chains(wish.share, wish.least, told):
        _add(found, wish, f"{chain.steps[0][:64]} to {chain.steps[-1][:64]}",
             chain.durations, None,
             lambda *given, chain=chain: _sequence(chain, *given))
    moved = _transitions(list(model.transitions.values()), wish.least)
    if moved is not None:
        found.triggers.append(moved)
    _tell_apart(found.triggers)
    return found


def _tell_apart(triggers: Sequence[dict]) -> None:
    """Give each a name of its own, as a project's triggers must have."""
    names: dict[str, int] = {}
    for one in triggers:
        times = names[one["name"]] = names.get(one["name"], 0) + 1
        if times > 1:
            one["name"] += f" {times}"


def _add(found: Proposals, wish: Wish, name: str, durations: Durations,
         unended: int | None, make: _Make) -> float | None:
    """Add an operation's rows and triggers; return its own deadline."""
    total = _row(name, None, durations.total, unended, wish)
    found.rows.append(total)
    apart = []
    for flavor, samples in sorted(durations.flavors.items()):
        if samples.count < wish.least:
            continue
        row = _row(name, flavor, samples, None, wish)
        found.rows.append(row)
        apart.append(flavor)
        found.triggers.append(make(
            f"{name} ({flavor}) is late", {"flavor": [flavor]},
            row.deadline, _told(row, wish)))
    if total.deadline is not None:
        rest = {"flavor": [{"exists": False}, {"anything-but": apart}]} \
            if apart else None
        found.triggers.append(make(f"{name} is late", rest, total.deadline,
                                   _told(total, wish)))
    return total.deadline


def _row(name: str, flavor: str | None, samples: Samples,
         unended: int | None, wish: Wish) -> Row:
    if not samples.count:
        return Row(name, flavor, 0, unended, None, None, None)
    deadline = None
    if samples.count >= wish.least:
        deadline = _seconds(samples.percentile(wish.percentile))
    return Row(name, flavor, samples.count, unended, samples.percentile(50),
               samples.percentile(95), deadline)


def _seconds(duration: float) -> float:
    """Return the deadline that just lets a duration pass.

    Up to the next millisecond: what ends at a deadline itself is in time,
    but sums of binary fractions are a little off.
    """
    return min(float(MAX_SECONDS),
               max(0.001, math.ceil(round(duration * 1000, 3)) / 1000))


def _told(row: Row, wish: Wish) -> str:
    return (f"Learnt from {row.count} samples: half of them took up to "
            f"{row.p50:g} s, 95 % up to {row.p95:g} s and "
            f"{wish.percentile:g} % up to {row.deadline:g} s.")


def _absence(one: Lifecycle, name: str, traits: Mapping | None,
             seconds: float, told: str) -> dict:
    start = {"event_type": list(one.start)}
    if traits is not None:
        start["traits"] = traits
    made = {"name": name, "description": f"{one.description} {told}",
            "kind": "absence", "severity": "MEDIUM",
            "group_by": list(one.group_by), "start": start,
            "expect": {"event_type": list(one.end)}, "within": seconds}
    ends = unless(one)
    if ends:
        made["unless"] = {"event_type": ends}
    return made


def _sequence(chain: Chain, name: str, traits: Mapping | None,
              seconds: float, told: str) -> dict:
    steps = [{"name": f"{number} {_UNSPEAKABLE.sub('_', step)[:60]}",
              "pattern": {"event_type": [step]}}
             for number, step in enumerate(chain.steps, 1)]
    if traits is not None:
        steps[0]["pattern"]["traits"] = traits
    if chain.by == BY_REQUEST:
        # Those without one would all be one group.
        steps[0]["pattern"][BY_REQUEST] = [{"exists": True}]
    made = {"name": name, "description": "Steps that follow one another did "
            f"not. {told}", "kind": "sequence", "severity": "MEDIUM",
            "quiet": True, "strict": chain.is_strict, "group_by": [chain.by],
            "steps": steps, "within": seconds}
    if chain.unless:
        made["unless"] = {"event_type": list(chain.unless)}
    return made


def _transitions(known: Sequence[Transition], least: int) -> dict | None:
    """Return a trigger for changes of state that no instance has made."""
    total = sum(one.count for one in known)
    after: dict[str, set[str]] = {}
    for one in known:
        if one.before and one.after:
            # An update may tell of a task alone, in any state.
            after.setdefault(one.before, {one.before}).add(one.after)
    # Where no state has changed there is nothing to tell others from.
    if total < least or len(after) > MAX_STATES \
            or not any(one.before != one.after for one in known):
        return None
    others = [{"traits": {"old_state": [before], "state": [
        {"anything-but": sorted(states)}]}}
        for before, states in sorted(after.items())]
    return {"name": "an instance did what none has done before",
            "description": f"Learnt from {total} changes of state or task: "
            "an instance went from one state into another into which none "
            "has gone from there.", "kind": "match", "severity": "MEDIUM",
            "group_by": ["resource_id"],
            "pattern": {"event_type": list(UPDATED),
                        "source": ["notification"], "$or": [*others, {
                            "traits": {"old_state": [
                                {"anything-but": sorted(after)}],
                                "state": [{"exists": True}]}}]}}
