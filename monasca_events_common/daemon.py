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

"""Daemons: supervised worker processes around plain loops.

A loop is a callable taking ``stop`` (a threading.Event) that returns soon
after ``stop`` is set. cotyledon supervises: a worker that dies is started
again, SIGTERM lets every worker finish, SIGHUP mutates the options. The loop
and its clients are made in the worker, never before the fork.
"""

from collections.abc import Callable, Sequence
import gc
import logging
import os
import threading

import cotyledon

from monasca_events_common import config
from monasca_events_common import metrics
from monasca_events_common.errors import Misconfigured

LOG = logging.getLogger(__name__)

#: Seconds that a worker has to finish after SIGTERM.
GRACE = 30

#: Objects made and not yet released after which the collector looks among
#: the young ones for cycles. Its own default, 700, is reached many times in
#: each batch of events, all of which are in use: a fifth of the time.
YOUNG = 20_000

Loop = Callable[[threading.Event], None]


class _Worker(cotyledon.Service):
    """One process of a daemon."""

    def __init__(self, worker_id: int, conf: config.Configuration,
                 make: Callable[[config.Configuration], Loop],
                 first: int = 0) -> None:
        """:param first: number among the daemon's processes of worker 0"""
        super().__init__(worker_id)
        self._first = first
        self._conf = conf
        self._make = make
        self._stop = threading.Event()
        self._done = threading.Event()

    def run(self) -> None:
        try:
            metrics.serve(self._conf.metrics,
                          self._conf.prog.removeprefix("monasca-events-"),
                          self._first + self.worker_id)
            loop = self._make(self._conf)
            spare_collector()
            loop(self._stop)
        except Misconfigured as error:
            # The file was right when the daemon started; somebody changed
            # what it names. Restarting is the supervisor's business.
            LOG.error("worker cannot start: %s", error)
            self._die()
        except Exception:
            # The daemon's edge: whatever escaped is a bug. A fresh process
            # begins from the last commit, so nothing is lost by dying.
            LOG.exception("worker failed")
            self._die()
        finally:
            self._done.set()

    def _die(self) -> None:
        logging.shutdown()
        os._exit(1)

    def terminate(self) -> None:
        self._stop.set()
        self._done.wait(GRACE)

    def reload(self) -> None:
        mutate(self._conf)


def together(main: Loop, *beside: Loop) -> Loop:
    """Return a loop that runs several as one.

    The first one is told to stop first; the others run in threads of their
    own and go on until it has finished, for it may still hand them something.
    What one of them raises ends all and is raised.
    """
    def run(stop: threading.Event) -> None:
        after = threading.Event()
        failures: list[BaseException] = []

        def guarded(loop: Loop) -> None:
            try:
                loop(after)
            except BaseException as error:
                failures.append(error)
                stop.set()
        threads = [threading.Thread(target=guarded, args=(one,), daemon=True)
                   for one in beside]
        for one in threads:
            one.start()
        try:
            main(stop)
        finally:
            after.set()
            for one in threads:
                one.join(GRACE / 2)
        if failures:
            raise failures[0]
    return run


def spare_collector() -> None:
    """Have the garbage collector look less often, and at less.

    What is there when the loop begins, modules above all, stays for good.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


def mutate(conf: config.Configuration) -> None:
    """Read the files again; keep every old value when they are wrong."""
    try:
        conf.mutate()
    except Misconfigured as error:
        LOG.error("SIGHUP: the configuration stays as it was: %s", error)


def run(conf: config.Configuration,
        make: Callable[[config.Configuration], Loop],
        workers: int = 1,
        beside: Sequence[Callable[[config.Configuration], Loop]] = ()) -> int:
    """Supervise workers until SIGTERM; return the exit status.

    :param make: makes the loop, in the worker's process
    :param beside: make loops of processes of their own, one each
    """
    config.set_up_logging(conf)
    manager = cotyledon.ServiceManager(graceful_shutdown_timeout=GRACE + 5)
    manager.add(_Worker, workers=workers, args=(conf, make))
    for place, other in enumerate(beside):
        # Their metrics come behind those of the workers.
        manager.add(_Worker, args=(conf, other, workers + place))
    # A collector that does not touch what the workers have from here leaves
    # them its memory in common.
    gc.collect()
    gc.freeze()
    manager.run()
    return 0
