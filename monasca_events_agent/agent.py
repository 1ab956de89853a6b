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

"""The agent: its parts put together, its two processes and their threads.

The collector has a thread for each source, the sender one for the poster;
what is between them is the spool on the disk, so that neither keeps the other
from working or starting. On stop the sources end after their last batch, and
the poster leaves the rest in the spool. When one thread dies of a bug its
process does, and the supervisor starts another from what is on the disk.
"""

from collections.abc import Callable, Mapping, Sequence
import contextlib
import functools
import logging
import threading

from oslo_config import cfg

from monasca_events_agent import endpoints
from monasca_events_agent import filters
from monasca_events_agent import poster
from monasca_events_agent import spool
from monasca_events_agent.definitions import Definitions
from monasca_events_agent.endpoints import Endpoints
from monasca_events_agent.filters import Filter
from monasca_events_agent.normalise import KEEP_FORMATS
from monasca_events_agent.normalise import Normaliser
from monasca_events_agent.pipeline import Pipeline
from monasca_events_agent.poster import Poster
from monasca_events_agent.sources import get_sources
from monasca_events_agent.spool import Spool
from monasca_events_common.daemon import Loop
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.deadletters import get_dead_letters
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)

GROUP = "agent"

OPTS = [
    cfg.ListOpt("sources", default=["notifications"],
                help="Where notifications come from: notifications "
                     "(oslo.messaging), amqp (the same queues, read "
                     "directly and several times faster), file, syslog, or "
                     "module:Class."),
    cfg.StrOpt("operator_project_id",
               help="The id of the project that gets the events whose tenant "
                    "cannot be found; they carry the mark tenant_unknown. "
                    "Must be set."),
    cfg.StrOpt("keep_format", default="both", choices=KEEP_FORMATS,
               help="Which format of nova's notifications is kept where nova "
                    "is set to emit the same in both."),
    cfg.ListOpt("definitions_files", default=[],
                help="YAML files of further definitions of event types; "
                     "what they say wins over the built-in definitions, and "
                     "a later file over an earlier one."),
    *filters.OPTS,
]

#: (group, options) that the agent's commands need beside the kernel's.
GROUPS = ((GROUP, OPTS), (spool.GROUP, spool.OPTS),
          (poster.GROUP, poster.OPTS))

# Seconds that sources have for their last batch, within the daemon's grace.
_SOURCES_GRACE = 20
_POSTER_GRACE = 5


class Crew:
    """A loop that is some threads. When one dies of a bug, all end."""

    def __init__(self, runs: Mapping[str, Callable[[threading.Event], None]],
                 ending: threading.Event, grace: float,
                 close: Callable[[], None],
                 look: Callable[[], object] = lambda: None) -> None:
        """
        :param runs: by name what each thread does until its argument is set
        :param ending: that argument; set when all shall end
        :param grace: seconds that each thread has to end
        :param close: releases what they share
        :param look: called now and then meanwhile
        """
        self._runs = runs
        self._ending = ending
        self._grace = grace
        self._close = close
        self._look = look
        self._died = threading.Event()
        self._error: BaseException | None = None

    def __call__(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set.

        Raises whatever ended one of the threads before.
        """
        threads = [self._start(name, run, self._ending)
                   for name, run in self._runs.items()]
        while not (stop.wait(0.2) or self._died.is_set()):
            self._look()
        self._ending.set()
        self._join(threads)
        if self._error is not None:
            raise self._error
        self._close()

    def _start(self, name: str, run: Callable, *args) -> threading.Thread:
        # Daemon threads: one that hangs in a library must not keep a process
        # that was told to end.
        thread = threading.Thread(target=self._run, args=(run, *args),
                                  name=name, daemon=True)
        thread.start()
        return thread

    def _run(self, run: Callable, *args) -> None:
        try:
            run(*args)
        except BaseException as error:
            LOG.exception("a thread of the agent died")
            self._error = error
            self._died.set()

    def _join(self, threads: Sequence[threading.Thread]) -> None:
        for thread in threads:
            thread.join(self._grace)
            if thread.is_alive():
                LOG.warning("%s does not end; what it has not acknowledged "
                            "comes again", thread.name)


def make_collector(conf: cfg.ConfigOpts) -> Loop:
    """Return what brings notifications into the spool.

    Call it in the process that runs it, like ``make_sender``. Raises
    Misconfigured.
    """
    register(conf)
    ending = threading.Event()
    sources = get_sources(conf, conf.agent.sources)
    normaliser = make_normaliser(conf)
    letters = get_dead_letters(conf)
    # The sender shows what is in it.
    queue = Spool(conf.spool, counts=False)
    deliver = _pipeline(conf, normaliser, queue, letters, ending)

    def close() -> None:
        queue.close()
        letters.close()
    return Crew({f"source-{number}": functools.partial(source.run, deliver)
                 for number, source in enumerate(sources)},
                ending, _SOURCES_GRACE, close)


def make_sender(conf: cfg.ConfigOpts) -> Loop:
    """Return what brings events from the spool to the API.

    There may be one at a time, so that order is kept. Raises Misconfigured.
    """
    register(conf)
    session = endpoints.make_session(conf)
    letters = get_dead_letters(conf)
    queue = Spool(conf.spool)

    def close() -> None:
        queue.close()
        letters.close()

    def look() -> None:
        # So that metrics are right while the poster waits for the API.
        with contextlib.suppress(Unavailable):
            queue.depth()
    sender = Poster(conf.poster, queue, Endpoints(conf.poster, session),
                    letters)
    return Crew({"poster": sender.run}, threading.Event(), _POSTER_GRACE,
                close, look)


def make_pipeline(conf: cfg.ConfigOpts, queue: Spool, letters: DeadLetters,
                  stop: threading.Event) -> Pipeline:
    """Return a pipeline of its own, as a replayer needs it."""
    register(conf)
    return _pipeline(conf, make_normaliser(conf), queue, letters, stop)


def check(conf: cfg.ConfigOpts) -> None:
    """Raise Misconfigured where the options cannot work. Opens nothing."""
    register(conf)
    for source in get_sources(conf, conf.agent.sources):
        source.check()
    endpoints.make_session(conf)
    make_normaliser(conf)


def make_normaliser(conf: cfg.ConfigOpts) -> Normaliser:
    """Return what makes events, as ``[agent]`` describes it.

    Raises Misconfigured.
    """
    if not conf.agent.operator_project_id:
        raise Misconfigured("[agent] operator_project_id must be set: the "
                            "project that gets events of no known tenant")
    return Normaliser(Definitions.load(conf.agent.definitions_files),
                      conf.agent.operator_project_id, conf.agent.keep_format)


def register(conf: cfg.ConfigOpts) -> None:
    """Register the agent's options."""
    for group, opts in GROUPS:
        conf.register_opts(opts, group=group)


def _pipeline(conf: cfg.ConfigOpts, normaliser: Normaliser, queue: Spool,
              letters: DeadLetters, stop: threading.Event) -> Pipeline:
    return Pipeline(normaliser.normalise, Filter(conf.agent), queue, letters,
                    stop)
