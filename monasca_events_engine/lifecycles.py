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

"""Which lifecycles of the table an operator wants something of."""

from collections.abc import Sequence
import fnmatch

from oslo_config import cfg

from monasca_events_common.errors import Misconfigured
from monasca_events_common.rules.lifecycles import LIFECYCLES


def option(what: str) -> cfg.Opt:
    """Return the option ``lifecycles`` of a plug-in.

    :param what: the end of the sentence that explains it
    """
    return cfg.ListOpt(
        "lifecycles", default=["*"], mutable=True,
        help="Lifecycles, by names in which * stands for any characters, such "
             "as instance-*; one that begins with ! is left out after all, "
             f"such as !port-*. They are those {what}")


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
