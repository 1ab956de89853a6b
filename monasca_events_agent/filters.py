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

"""Which notifications the agent takes at all. No I/O.

Dropping here is cheaper than anything later: the notification is neither
normalised nor redacted. The pipeline counts what was dropped, by reason.
"""

from collections.abc import Callable, Mapping, Sequence
import fnmatch
import re

from oslo_config import cfg

OPTS = [
    cfg.ListOpt("event_types", default=["*"], mutable=True,
                help="Event types that are taken, as shell patterns such as "
                     "compute.instance.*. Others are dropped and counted "
                     "with the reason filtered_event_type."),
    cfg.ListOpt("exclude_event_types", default=[], mutable=True,
                help="Event types among them that are not taken."),
    cfg.ListOpt("publishers", default=["*"], mutable=True,
                help="Publishers whose notifications are taken, as shell "
                     "patterns such as compute.*. Others are dropped and "
                     "counted with the reason filtered_publisher."),
    cfg.ListOpt("exclude_publishers", default=[], mutable=True,
                help="Publishers among them whose notifications are not "
                     "taken."),
]

_FIELDS = (("event_type", "event_types", "exclude_event_types",
            "filtered_event_type"),
           ("publisher_id", "publishers", "exclude_publishers",
            "filtered_publisher"))
# Publishers hold host names; a cloud of 10,000 hosts fits.
_REMEMBERED = 20000


class Filter:
    """Decides by event type and publisher, remembering each decision."""

    def __init__(self, conf) -> None:
        """:param conf: an option group with OPTS"""
        self.conf = conf
        self._known: dict[str, dict[str, bool]] = {}
        self._tests: list[tuple[str, str, Callable[[str], bool]]] = []
        self._patterns: tuple = ()
        self.refresh()

    def refresh(self) -> None:
        """Follow a change of the options; once a batch is enough."""
        if self._patterns != (patterns := self._read()):
            self._compile(patterns)

    def refuses(self, notification: Mapping) -> str | None:
        """Return the reason for which it is not taken, or None."""
        for field, reason, takes in self._tests:
            value = notification.get(field)
            # Whatever is not text is a matter for the dead letters.
            if type(value) is not str:
                continue
            known = self._known[field]
            taken = known.get(value)
            if taken is None:
                if len(known) >= _REMEMBERED:
                    known.clear()
                taken = known[value] = takes(value)
            if not taken:
                return reason
        return None

    def _read(self) -> tuple:
        conf = self.conf
        return (conf.event_types, conf.exclude_event_types, conf.publishers,
                conf.exclude_publishers)

    def _compile(self, patterns: tuple) -> None:
        self._patterns = patterns
        self._known = {field: {} for field, *_rest in _FIELDS}
        self._tests = []
        for number, (field, _taken, _not, reason) in enumerate(_FIELDS):
            wanted, unwanted = patterns[2 * number:2 * number + 2]
            if "*" not in wanted or unwanted:
                self._tests.append((field, reason,
                                    _decision(wanted, unwanted)))


def _decision(wanted: Sequence[str], unwanted: Sequence[str]
              ) -> Callable[[str], bool]:
    takes, leaves = _expression(wanted), _expression(unwanted)

    def decide(value: str) -> bool:
        return bool(takes(value)) and not leaves(value)
    return decide


def _expression(globs: Sequence[str]) -> Callable:
    # The patterns are the operator's, never a tenant's: re is safe here.
    return re.compile("|".join(map(fnmatch.translate, globs))
                      or r"(?!)").match
