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

"""Sources: where notifications come from.

A source takes notifications from somewhere, hands them over in batches and
lets the other side forget them only afterwards. The drivers are siblings of
this file and are found by their plug-in name.
"""

import abc
from collections.abc import Mapping, Sequence
import dataclasses
import threading

from monasca_events_common import plugins
from monasca_events_common.errors import Misconfigured

NAMESPACE = "monasca_events.sources"

#: The road of what services send; a source of something else names its own.
NOTIFICATION = "notification"


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """One notification as a source got it.

    :ivar body: the bytes, with or without oslo.messaging's envelope, or the
        notification itself where a library has decoded it already
    :ivar position: where it came from, for the dead letters; a repeat has the
        same one if that is possible
    :ivar source: what the event says of the road by which it came
    """

    body: bytes | Mapping
    position: str
    source: str = NOTIFICATION


@dataclasses.dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a source has read; opaque to everybody else."""

    name: str
    value: str


class Intake(abc.ABC):
    """Takes notices over. Safe to call from several threads."""

    @abc.abstractmethod
    def __call__(self, notices: Sequence[Notice],
                 bookmark: Bookmark | None = None) -> None:
        """Return once every notice is safe: spooled, buried or dropped.

        Waits for as long as that takes. The bookmark is kept in the same
        transaction as the events, so that a restart neither loses nor repeats
        any. Raises Unavailable only when the agent is told to stop meanwhile;
        then the source must not let its side forget the notices.
        """

    @abc.abstractmethod
    def bookmark(self, name: str) -> str | None:
        """Return the bookmark's value as it was last kept."""


class Source(abc.ABC):
    """Where notifications come from.

    A driver has OPTS and GROUP, and is made with its option group alone.
    """

    def check(self) -> None:
        """Raise Misconfigured where it could not run here.

        For a driver that has to look for that, at an address for example;
        keeps nothing.
        """

    @abc.abstractmethod
    def run(self, deliver: Intake, stop: threading.Event) -> None:
        """Deliver until ``stop`` is set or the source is exhausted.

        Returns within a few seconds after ``stop``. Bad notifications are the
        intake's business and never end a source; an error that escapes is a
        bug and ends the process.
        """


def get_sources(conf, names: Sequence[str]) -> list[Source]:
    """Return the sources of these names. Raises Misconfigured."""
    if not names:
        raise Misconfigured("[agent] sources names none; expected some of "
                            + ", ".join(plugins.names(NAMESPACE)))
    sources = []
    for name in names:
        cls = plugins.load(NAMESPACE, name)
        conf.register_opts(cls.OPTS, group=cls.GROUP)
        sources.append(cls(conf[cls.GROUP]))
    return sources
