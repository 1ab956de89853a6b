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

"""What Elasticsearch's answer to one item of a bulk request means.

Pure: called by the Elasticsearch store's bulk writer, tested with recorded
answers. A wrong class here either loses events (something that passes taken
for permanent) or stops a partition for ever (the reverse).
"""

from collections.abc import Mapping
import dataclasses
import re

STORED, REPEATED, REJECTED = "stored", "repeated", "rejected"

#: The index or its alias is gone: make it anew, then repeat the item.
MISSING = "missing"

#: Overload, a block, a closed index, a shard that is away: wait.
BUSY = "busy"

# Answers with status 400 that are about the index and not about the event.
_PASSING = ("index_closed_exception", "invalid_alias_name_exception",
            "invalid_index_name_exception", "index_not_found_exception")

# Elasticsearch's reasons quote the event, up to the whole of it. Of them only
# the place and the field pass.
_PLACE = re.compile(r"\[\d+:\d+\] failed to parse"
                    r"(?: field \[[\w.@-]{1,80}\] of type \[\w+\])?")


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item.

    :ivar kind: STORED, REPEATED, REJECTED, MISSING or BUSY
    :ivar reason: for the last three, without anything of the event
    """

    kind: str
    reason: str = ""


def is_stored(item: Mapping) -> bool:
    """Return whether an item is stored by this request."""
    answer = next(iter(item.values()))
    return answer.get("status") in (200, 201)


def outcome(item: Mapping) -> Outcome:
    """Return the outcome of an item, such as ``{"create": {…}}``."""
    if is_stored(item):
        return Outcome(STORED)
    answer = next(iter(item.values()))
    status = answer.get("status")
    error = answer.get("error")
    error = error if isinstance(error, Mapping) else {}
    kind = str(error.get("type", "unknown"))
    reason = f"{kind} (status {status})"
    if status == 409 and kind == "version_conflict_engine_exception":
        return Outcome(REPEATED)
    if status == 404:
        return Outcome(MISSING, reason)
    if status == 413 or (status == 400 and kind not in _PASSING):
        place = _PLACE.match(str(error.get("reason", "")))
        return Outcome(REJECTED,
                       f"{reason}: {place.group()}" if place else reason)
    return Outcome(BUSY, reason)
