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

"""The agent: its parts put together, and its threads.

Each source has one thread, the poster one. On stop the sources end first, so
that what they took is spooled and acknowledged; then the poster, which leaves
the rest in the spool. When one thread dies of a bug the whole process does,
and its supervisor starts another from what is on the disk.
"""

from collections.abc import Callable, Sequence
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
from monasca_events_agent.sources import Source
from monasca_events_agent.spool import Spool
from monasca_events_common.daemon import Loop
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.deadletters import get_dead_letters
from monasca_events_common.errors import Misconfigured

LOG = logging.getLogger(__name__)

GROUP = "agent"

OPTS = [
    cfg.ListOpt("sources", default=["notifications"],
                help="Where notifications come from: notifications "
                     "(oslo.messaging), amqp (the same queues, read "
                     "directly and several times faster), file, or "
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


class Agent:
    """The loop of one agent process."""

    def __init__(self, sources: Sequence[Source],
                 intake: Callable[[threading.Event], Pipeline],
                 sender: Poster, close: Callable[[], None]) -> None:
        """
        :param intake: makes what sources deliver to, given the event that
            ends all waiting
        :param close: releases what the parts share
        """
        self._sources = sources
        self._intake = intake
        self._poster = sender
        self._close = close
        self._died = threading.Event()
        self._error: BaseException | None = None

    def __call__(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set.

        Raises whatever ended one of the threads before.
        """
        ending, posting = threading.Event(), threading.Event()
        deliver = self._intake(ending)
        threads = [self._start(f"source-{number}", source.run, deliver,
                               ending)
                   for number, source in enumerate(self._sources)]
        sender = self._start("poster", self._poster.run, posting)
        while not (stop.wait(0.2) or self._died.is_set()):
            pass
        ending.set()
        self._join(threads, _SOURCES_GRACE)
        posting.set()
        self._join([sender], _POSTER_GRACE)
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

    @staticmethod
    def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
        for thread in threads:
            thread.join(seconds)
            if thread.is_alive():
                LOG.warning("%s does not end; what it has not acknowledged "
                            "comes again", thread.name)


def make(conf: cfg.ConfigOpts) -> Loop:
    """Return the agent that the configuration describes.

    Call it in the process that runs the agent. Raises Misconfigured.
    """
    register(conf)
    sources = get_sources(conf, conf.agent.sources)
    session = endpoints.make_session(conf)
    normaliser = make_normaliser(conf)
    letters = get_dead_letters(conf)
    queue = Spool(conf.spool)

    def close() -> None:
        queue.close()
        letters.close()
    sender = Poster(conf.poster, queue, Endpoints(conf.poster, session),
                    letters)
    return Agent(sources, functools.partial(
        _pipeline, conf, normaliser, queue, letters), sender, close)


def make_pipeline(conf: cfg.ConfigOpts, queue: Spool, letters: DeadLetters,
                  stop: threading.Event) -> Pipeline:
    """Return a pipeline of its own, as a replayer needs it."""
    register(conf)
    return _pipeline(conf, make_normaliser(conf), queue, letters, stop)


def check(conf: cfg.ConfigOpts) -> None:
    """Raise Misconfigured where the options cannot work. Opens nothing."""
    register(conf)
    get_sources(conf, conf.agent.sources)
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
