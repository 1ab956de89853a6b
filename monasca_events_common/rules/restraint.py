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


"""Why a firing is only recorded and not delivered, by its trigger alone.

The engine decides by it, and by how often the trigger fired lately, which
only it knows; the API says beforehand what it will be.
"""

from collections.abc import Mapping

from monasca_events_common import event as events


def hold(settings: Mapping, at: float) -> str | None:
    """Return ``dry_run`` or ``muted``, None for a firing that is delivered.

    :param settings: of the :class:`~monasca_events_common.rules.trigger.Rule`
    :param at: of the firing, seconds since the epoch
    """
    if settings.get("dry_run"):
        return "dry_run"
    if any(_seconds(span["from"]) <= at < _seconds(span["until"])
           for span in settings.get("mute") or ()):
        return "muted"
    return None


def _seconds(text: str) -> float:
    return events.parse_time(text).timestamp()
