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

"""Transitions of instances between states and tasks, in words.

Nova tells of each by ``compute.instance.update`` or ``instance.update``, with
the same traits in both of its formats.
"""

from collections.abc import Mapping

#: What nova says of a change of state, in its two formats.
UPDATED = ("compute.instance.update", "instance.update")


def transition(event: Mapping) -> str | None:
    """Return such as ``building/spawning -> active/-``.

    None where the event tells of no change, as most updates do.
    """
    traits = event["traits"]
    before = _words(traits.get("old_state"), traits.get("old_task_state"))
    after = _words(traits.get("state"), traits.get("task_state"))
    # Nova leaves the old ones out where only something else has changed.
    if before == "-/-" or before == after:
        return None
    return f"{before} -> {after}"


def _words(state, task) -> str:
    return f"{state or '-'}/{task or '-'}"
