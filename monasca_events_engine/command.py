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

"""``monasca-events-engine``: acts on events as they pass the bus."""

from collections.abc import Callable, Sequence
import functools
import logging
import os
import threading

from oslo_config import cfg

from monasca_events_common import bus
from monasca_events_common import config
from monasca_events_common import daemon
from monasca_events_common import database
from monasca_events_common import deadletters
from monasca_events_common import plugins
from monasca_events_common import store
from monasca_events_common.bus import get_bus
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import secrets
from monasca_events_common.database import Database
from monasca_events_common.database import get_database
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from monasca_events_common.store import get_store
from monasca_events_common.stream import StreamLoop
from monasca_events_engine import actions
from monasca_events_engine import backtest
from monasca_events_engine import history
from monasca_events_engine import options
from monasca_events_engine import sinks
from monasca_events_engine.account import Accounts
from monasca_events_engine.backtest import Backtester
from monasca_events_engine.checkpoint import Checkpoint
from monasca_events_engine.dispatcher import Dispatcher
from monasca_events_engine.engine import Engine
from monasca_events_engine.engine import STAGE
from monasca_events_engine.exposition import Exposition
from monasca_events_engine.history import History
from monasca_events_engine.measures import Measures
from monasca_events_engine.outbox import Outbox
from monasca_events_engine.pusher import make_sink
from monasca_events_engine.pusher import Pusher
from monasca_events_engine.ruleset import Ruleset

LOG = logging.getLogger(__name__)

PROG = "monasca-events-engine"

DESCRIPTION = """Judge events by the triggers of tenants and operators, keep
what was found, and act on it: notify, remove alarms, measure."""

EPILOG = """Examples:
  monasca-events-engine --config-file /etc/monasca-events/events.conf
  kill -HUP PID        take over changed options, such as enabled_triggers
"""

#: Seconds between two tries to reach the database at the start.
_AGAIN = 2.0

#: How much more the others of a machine count than back-tests.
_NICE = 10

Loop = Callable[[threading.Event], None]


def make(conf: cfg.ConfigOpts) -> Loop:
    """Return the loop of one worker; called in the worker's process."""
    def run(stop: threading.Event) -> None:
        found = await_database(conf, stop)
        if found is not None:
            try:
                _engine(conf, found)(stop)
            finally:
                found.close()
    return run


def make_backtests(conf: cfg.ConfigOpts) -> Loop:
    """Return the loop of a process that does back-tests.

    A process of its own, for one back-test computes for half a minute; what
    happens now goes first.
    """
    def run(stop: threading.Event) -> None:
        os.nice(_NICE)
        found = await_database(conf, stop)
        if found is None:
            return
        worker = Backtester(found, functools.partial(get_store, conf), conf)
        try:
            worker.run(stop)
        finally:
            worker.close()
            found.close()
    return run


def await_database(conf: cfg.ConfigOpts, stop: threading.Event
                   ) -> Database | None:
    """Return the database once it answers; None when told to stop before."""
    while not stop.is_set():
        try:
            return get_database(conf)
        except Unavailable as error:
            LOG.warning("waiting for the database: %s", error)
            stop.wait(_AGAIN)
    return None


def _engine(conf: cfg.ConfigOpts, found: Database) -> Loop:
    catalog = Catalog(found)
    events_bus = get_bus(conf)
    acts = actions.get_actions(conf, actions.Parts(
        database=found, bus=events_bus, topic=conf.bus.topic,
        sinks=lambda: conf[sinks.GROUP].enabled,
        options=functools.partial(plugins.options, conf),
        accounts=Accounts(conf)))
    dispatcher = Dispatcher(found, catalog, secrets.get_secrets(conf), acts,
                            conf)
    ruleset = Ruleset(catalog, conf.engine,
                      functools.partial(plugins.options, conf))
    measures = Measures(lambda: conf[sinks.GROUP].enabled,
                        lambda: conf.engine.max_series)
    Exposition(measures.totals).register()
    engine = Engine(
        conf.engine, ruleset,
        Checkpoint(found, conf.engine.group, conf.bus.topic),
        Outbox(conf.engine, dispatcher.owner, ruleset.operator_methods,
               acts.delay),
        measures, dispatcher.wake)
    loop = StreamLoop(
        STAGE, conf.bus.topic,
        lambda watcher: events_bus.subscribe(conf.bus.topic,
                                             conf.engine.group, watcher),
        engine, deadletters.get_dead_letters(conf), conf.engine)
    pusher = Pusher(found, conf[sinks.GROUP],
                    functools.partial(make_sink, conf))
    whole = daemon.together(loop.run, dispatcher.run, pusher.run,
                            History(found, conf[history.GROUP]).run)

    def run(stop: threading.Event) -> None:
        try:
            whole(stop)
        finally:
            acts.close()
            events_bus.close()
    return run


def start(argv: Sequence[str]) -> int:
    """Check the configuration, then supervise the workers."""
    conf = config.load(argv, PROG, options.groups(), description=DESCRIPTION,
                       epilog=EPILOG)
    # What is misspelt must stop the start, not a worker again and again.
    plugins.load(bus.NAMESPACE, conf.bus.driver)
    plugins.load(store.NAMESPACE, conf.store.driver)
    actions.check_actions(conf, functools.partial(plugins.options, conf),
                          Accounts(conf))
    for name in conf[sinks.GROUP].enabled:
        make_sink(conf, name).close()
    secrets.get_secrets(conf, make=True)
    _check_database(conf)
    return daemon.run(conf, make, workers=conf.engine.workers,
                      beside=[make_backtests] * conf[backtest.GROUP].workers)


def _check_database(conf: cfg.ConfigOpts) -> None:
    """Stop the start for wrong tables and plug-ins, not for one that is away.
    """
    found = database.Database(conf[database.GROUP].connection)
    try:
        missing = Ruleset(
            Catalog(found), conf.engine,
            functools.partial(plugins.options, conf)).actions.difference(
                conf[actions.GROUP].enabled)
        if missing:
            raise Misconfigured(
                f"[{actions.GROUP}] enabled lacks {', '.join(missing)}, "
                "which an enabled trigger leads to")
        found.version()
    except Unavailable as error:
        LOG.warning("the database does not answer yet: %s", error)
    else:
        get_database(conf).close()
    finally:
        found.close()


def main() -> int:
    """Console script."""
    return config.run(start)
