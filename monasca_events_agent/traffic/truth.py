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


"""The truth file: what was sent, one JSON object a line.

It is a journal. A line with ``"outcome": "sending"`` and everything that is
to be found later is written before a message is sent, and
``{"n": …, "outcome": "sent"}`` after the broker or the file has it, each with
one unbuffered write, so that a kill at any instant leaves at most one message
a process undecided. :func:`read` folds it: one Expected for each distinct
message. The last line of a run that came to its end is a summary.
"""

from collections.abc import Iterable, Iterator, Mapping
import dataclasses
import os

import orjson

from monasca_events_agent.traffic.notification import Notification
from monasca_events_agent.traffic.poison import Poison
from monasca_events_common.errors import Misconfigured

SENT, UNKNOWN = "sent", "unknown"


@dataclasses.dataclass(slots=True)
class Expected:
    """One distinct message.

    :ivar project_id: whose event it must be; None for nobody's
    :ivar message_id: None only for poison that has none
    :ivar request_id: of the request that caused it; None where its context
        names none
    :ivar outcome: sent, or unknown where the run was cut off or an attempt
        failed: then it may be found or not
    :ivar copies: how often it was sent or may have been
    :ivar span: ``operation``, ``edge``, and ``ends`` at a start or
        ``start_message_id`` and ``duration`` at an end; None for others
    :ivar canary: the secret planted in it and where
    :ivar poison: ``kind``, ``marker``, ``expect``, ``code`` of a poisonous one
    """

    project_id: str | None
    message_id: str | None
    event_type: str | None = None
    timestamp: str | None = None
    resource_id: str | None = None
    request_id: str | None = None
    outcome: str = UNKNOWN
    copies: int = 1
    span: Mapping | None = None
    canary: Mapping | None = None
    poison: Mapping | None = None


class Journal:
    """Writes the truth. Several processes may write to one file."""

    def __init__(self, path: str) -> None:
        try:
            self._fd = os.open(path,
                               os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise Misconfigured(
                f"cannot write {path}: {error.strerror}") from None

    def sending(self, number: int, item: Notification | Poison) -> None:
        """Say that ``item`` may be sent from now on.

        :param number: the item's place in the run
        """
        self._write({"n": number, **_line(item), "outcome": "sending"})

    def sent(self, number: int) -> None:
        self._write({"n": number, "outcome": SENT})

    def failed(self, number: int, reason: str) -> None:
        """Say that sending failed, which does not prove that nothing left."""
        self._write({"n": number, "outcome": UNKNOWN, "reason": reason})

    def summary(self, counts: Mapping) -> None:
        self._write({"summary": counts})

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, line: Mapping) -> None:
        os.write(self._fd, orjson.dumps(line) + b"\n")


def _line(item: Notification | Poison) -> dict:
    if isinstance(item, Poison):
        line = {"project_id": item.project_id, "message_id": item.message_id,
                "poison": {"kind": item.kind, "marker": item.marker,
                           "expect": item.expect, "code": item.code}}
        return line
    line = {"project_id": item.project_id, "message_id": item.message_id,
            "event_type": item.event_type, "timestamp": item.timestamp,
            "resource_id": item.resource_id,
            "request_id": item.context.get("request_id")}
    if item.copy > 1:
        line["copy"] = item.copy
    if item.span:
        line["span"] = {
            name: value for name, value in
            dataclasses.asdict(item.span).items() if value is not None}
    if item.canary:
        line["canary"] = dict(zip(("word", "place"), item.canary,
                                  strict=True))
    return line


def read(*paths: str) -> list[Expected]:
    """Return what truth files say, in the order of the first sending.

    A last line that was cut off by a kill is left out: its message was not
    sent, for the line comes first.
    """
    found: list[Expected] = []
    by_key: dict = {}
    for path in paths:
        # Numbers are of one run; a later file starts again.
        by_number: dict[int, Expected] = {}
        for line in _lines(path):
            if "summary" in line:
                by_number.clear()
                continue
            number, outcome = line.pop("n"), line.pop("outcome")
            if outcome != "sending":
                # An unknown copy leaves what an earlier copy made certain.
                if outcome == SENT and number in by_number:
                    by_number[number].outcome = SENT
                continue
            line.pop("copy", None)
            key = line["message_id"] or line["poison"]["marker"]
            known = by_key.get(key)
            if known is None:
                known = by_key[key] = Expected(**line)
                found.append(known)
            else:
                known.copies += 1
            by_number[number] = known
    return found


def _lines(path: str) -> Iterator[dict]:
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """An operation: its start and, where it was sent, its end.

    :ivar outcome: end, error or, with no ``end_message_id``, never
    """

    operation: str
    project_id: str | None
    resource_id: str | None
    start_message_id: str
    end_message_id: str | None = None
    outcome: str = "never"
    duration: float | None = None


def pairs(expected: Iterable[Expected]) -> list[Pair]:
    """Return the operations that were started, with their ends if any."""
    found: dict[str, Pair] = {}
    ends = []
    for one in expected:
        if one.span is None:
            continue
        if one.span["edge"] == "start":
            found[one.message_id] = Pair(one.span["operation"],
                                         one.project_id, one.resource_id,
                                         one.message_id)
        else:
            ends.append(one)
    # Afterwards, because an end may have been sent before its start.
    for end in ends:
        start = found.get(end.span["start_message_id"])
        if start is not None:
            found[start.start_message_id] = dataclasses.replace(
                start, end_message_id=end.message_id,
                resource_id=end.resource_id or start.resource_id,
                outcome=end.span["edge"], duration=end.span["duration"])
    return list(found.values())
