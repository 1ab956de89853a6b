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

"""The report: a table for people, a file for what reads proposals."""

from collections.abc import Iterator, Sequence
import os
import tempfile

import orjson

from monasca_events_common import printable
from monasca_events_common.errors import Misconfigured
from monasca_events_engine.learning.model import Model
from monasca_events_engine.learning.proposals import Proposals
from monasca_events_engine.learning.proposals import Row

#: Rare transitions that the table shows; the file has all.
MAX_RARE = 20

_HEAD = ("OPERATION", "FLAVOR", "N", "NO END", "P50", "P95", "DEADLINE")


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of operations; seconds, - for nothing."""
    cells = [_HEAD, *((
        one.operation, "*" if one.flavor is None else one.flavor,
        str(one.count), "-" if one.unended is None else str(one.unended),
        _number(one.p50), _number(one.p95), _number(one.deadline))
        for one in rows)]
    cells = [tuple(printable.escape(cell) for cell in line)
             for line in cells]
    widths = [max(len(line[column]) for line in cells)
              for column in range(len(_HEAD))]
    for line in cells:
        yield "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(
                zip(line, widths, strict=True))).rstrip()


def _number(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3f}"


def transitions(model: Model, least: int) -> Iterator[str]:
    """Yield what is to say of the transitions of instances.

    :param least: how often one must have come not to be shown as rare
    """
    if not model.transitions:
        return
    seldom = sorted(((one.count, words, one.last) for words, one
                     in model.transitions.items() if one.count < least))
    yield (f"\n{len(model.transitions)} kinds of transitions of instances, "
           f"{len(seldom)} of them came less than {least} times"
           + (":" if seldom else ""))
    for count, words, last in seldom[:MAX_RARE]:
        yield printable.escape(f"  {words}  {count}, last at {last}")
    if len(seldom) > MAX_RARE:
        yield f"  and {len(seldom) - MAX_RARE} more"


def document(model: Model, found: Proposals) -> bytes:
    """Return the JSON of a file of proposals.

    ``triggers`` holds definitions, ``transitions`` is what
    ``[never_seen_transition] known_file`` reads.
    """
    return orjson.dumps({
        "events": model.events, "first": model.first, "last": model.last,
        "triggers": found.triggers,
        "missing_end": {"seconds_of": found.seconds_of},
        "operations": found.rows,
        "transitions": [
            {"transition": words, "count": one.count, "last": one.last}
            for words, one in sorted(
                model.transitions.items(),
                key=lambda pair: (-pair[1].count, pair[0]))],
        "limits": list(model.limits())},
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write(path: str, content: bytes) -> None:
    """Write a file whole or not at all.

    :raises Misconfigured: it cannot be written
    """
    try:
        with tempfile.NamedTemporaryFile(
                dir=os.path.dirname(path) or ".", delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError as error:
        raise Misconfigured(
            f"cannot write {path}: {error.strerror}") from error
