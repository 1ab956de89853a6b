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


"""Trying transforms on one event: what there is of it after each operation.

What is stored in the end is found by the code of the persister; the steps on
the way are those of the same operations. Pure; nothing is kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import copy
import dataclasses

import orjson

from monasca_events_common.rules import transforms
from monasca_events_common.rules.allowance import Allowance
from monasca_events_common.rules.allowance import Failed
from monasca_events_common.rules.transforms import Transform

#: Bytes of events that an answer shows on the way.
MAX_SHOWN = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A transform to be tried, whether it is enabled or not.

    :ivar content: a checked definition
    :ivar transform_id, revision: None of a draft
    """

    content: Mapping
    transform_id: str | None = None
    revision: int | None = None


def rehearse(several: Sequence[Candidate], event: Mapping) -> dict:
    """Return what transforms make of an event, step by step.

    :param several: by creation, oldest first
    :param event: canonical
    :raises Rejected: one of them cannot be applied at all
    """
    # Of what failed when it was stored nothing is to be told here.
    event = {**event, "marks": {
        name: value for name, value in event["marks"].items()
        if name not in ("transform_failed", "withheld")}}
    whole = transforms.compile_all(
        ({**one.content, "enabled": True}, one.revision) for one in several)
    for one in whole.broken:
        raise one.error()
    made = whole.records(event, len(orjson.dumps(event)))
    stored = [event] if made is None else [one for one, _ in made]
    failed = next((one["marks"]["transform_failed"] for one in stored
                   if "transform_failed" in one["marks"]), None)
    tried, truncated = _steps(several, event)
    outcome = "failed" if failed else _outcome(
        [_content(event)], [_content(one) for one in stored])
    return {"event": event, "transforms": tried, "outcome": outcome,
            "failed": failed, "events": stored, "truncated": truncated,
            "summary": _summary(tried, outcome, failed, len(stored))}


def _steps(several: Iterable[Candidate], event: Mapping
           ) -> tuple[list[dict], bool]:
    """Return what each transform does, and whether more might be told."""
    tried: list[dict] = []
    allowance, left = Allowance(), MAX_SHOWN
    found = [copy.deepcopy(event)]
    for one in sorted(several, key=lambda one: one.content.get(
            "position", transforms.POSITION)):
        transform = Transform(one.content, one.revision)
        shown = {"transform_id": one.transform_id, "name": transform.name,
                 "revision": one.revision, "cost": transform.cost,
                 "matches": False, "mismatch": None, "steps": []}
        tried.append(shown)
        operation = None
        try:
            wanted = [transform.wants(event) for event in found]
            shown.update(matches=any(wanted), mismatch=_mismatch(
                transform, found, wanted))
            before = [_content(event) for event in found]
            runs = _together(transform, found, wanted, allowance)
            for operation in one.content["operations"] if any(wanted) else ():
                found = next(runs)
                after = [_content(event) for event in found]
                whole = [orjson.dumps(event) for event in found]
                left -= sum(map(len, whole))
                if left < 0:
                    return tried, True
                shown["steps"].append({
                    "operation": operation, "reason": None,
                    "outcome": _outcome(before, after),
                    "events": [orjson.Fragment(event) for event in whole]})
                before = after
        except Failed as error:
            shown["steps"].append({"operation": operation, "events": [],
                                   "reason": str(error), "outcome": "failed"})
            break
    return tried, False


def _together(transform: Transform, found: Sequence[dict],
              wanted: Sequence[bool], allowance: Allowance
              ) -> Iterator[list[dict]]:
    """Yield what there is of all events after each operation."""
    runs = [transform.steps(event, allowance) if is_wanted else None
            for event, is_wanted in zip(found, wanted, strict=True)]
    for _ in transform.operations:
        yield [made for event, run in zip(found, runs, strict=True)
               for made in (next(run) if run else [event])]


def _mismatch(transform: Transform, found: Sequence[dict],
              wanted: Sequence[bool]) -> dict | None:
    """Return why the first of events, none of which it wants, is not."""
    if not found or any(wanted):
        return None
    why = transform.pattern.mismatch(found[0])
    return {**dataclasses.asdict(why), "text": why.text()}


def _content(event: Mapping) -> bytes:
    """Return the bytes of what a transform may change."""
    return orjson.dumps({name: value for name, value in event.items()
                         if name != "marks"})


def _outcome(before: Sequence[bytes], after: Sequence[bytes]) -> str:
    if len(after) < len(before):
        return "dropped"
    if len(after) > len(before):
        return "split"
    return "unchanged" if before == after else "changed"


def _summary(tried: Sequence[Mapping], outcome: str, failed: Mapping | None,
             count: int) -> str:
    if failed:
        (name, reason), = failed.items()
        return f"{name}: {reason}; the event is stored as it was, but for " \
            "what was to be hidden"
    if not tried:
        return "there is no transform; the event is stored as it is"
    says = [f"{one['name']}: {one['mismatch']['text']}"
            for one in tried if one["mismatch"]][:3]
    says.append({"dropped": "nothing is stored",
                 "split": f"{count} events are stored",
                 "changed": "the event is stored changed",
                 "unchanged": "the event is stored as it is"}[outcome])
    return "; ".join(says)
