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

"""Plug-ins of one class for each lifecycle of the table.

What those have in common that watch, measure or count lifecycles: the option
that chooses some of them, and the class for each.
"""

from collections.abc import Mapping, Sequence
import fnmatch

from oslo_config import cfg

from monasca_events_common.errors import Misconfigured
from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES
from monasca_events_common.rules.paths import Path
from monasca_events_common.rules.trigger import Trigger


def option(what: str) -> cfg.Opt:
    """Return the option ``lifecycles`` of a plug-in.

    :param what: the end of the sentence that explains it
    """
    return cfg.ListOpt(
        "lifecycles", default=["*"], mutable=True,
        help="Lifecycles by name; a star stands for any characters, and a "
             "name after ! is left out after all. They are those "
             f"{what}")


def chosen(patterns: Sequence[str], group: str) -> list[str]:
    """Return the lifecycles that an option names, in the table's order.

    :param patterns: names with ``*``; after ``!`` those that are left out
    :param group: the option's group, for the error
    :raises Misconfigured: one fits no lifecycle
    """
    wanted: set[str] = set()
    for one in patterns:
        found = set(fnmatch.filter(LIFECYCLES, one.removeprefix("!")))
        if not found:
            raise Misconfigured(f"[{group}] lifecycles: {one!r} fits no "
                                "lifecycle")
        wanted = wanted - found if one.startswith("!") else wanted | found
    return [name for name in LIFECYCLES if name in wanted]


def watch(cls: type[Trigger], lifecycle: Lifecycle, conf,
          slots: Mapping[str, Sequence[str]],
          group_by: Sequence[str] | None = None,
          needs_all: bool = True) -> type[Trigger]:
    """Return a subclass that watches one lifecycle.

    It has ``lifecycle``, ``conf``, and ``keys``, the paths of ``group_by``.

    :param slots: slot → event types; a slot without any is left out
    :param group_by: paths, where they are not the lifecycle's
    :param needs_all: whether it looks at more than the group's fields
    """
    group_by = tuple(lifecycle.group_by if group_by is None else group_by)
    return type(cls)(cls.__name__, (cls,), {
        "__slots__": (), "__doc__": lifecycle.description,
        "__module__": cls.__module__, "lifecycle": lifecycle, "conf": conf,
        "keys": tuple(Path(one, "group_by") for one in group_by),
        "group_by": group_by,
        "needs_all": needs_all or any("." in one for one in group_by),
        "patterns": {slot: {"event_type": list(names)}
                     for slot, names in slots.items() if names}})


def unless(lifecycle: Lifecycle) -> list[str]:
    """Return the event types after which no end is to be expected."""
    return [*lifecycle.error, *lifecycle.gone]


def lacks_key(paths: Sequence[Path], event: Mapping) -> bool:
    """Return whether an event lacks what ties start and end together.

    Nothing says then which of several it belongs to.

    :param paths: ``keys`` of the class that :func:`watch` returned
    """
    return any(one.first(event) is None for one in paths)
