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

"""``monasca-events-persister``: moves events from the bus into the store."""

from collections.abc import Callable, Sequence
import threading

from oslo_config import cfg

from monasca_events_common import config
from monasca_events_common import daemon
from monasca_events_common import deadletters
from monasca_events_common import plugins
from monasca_events_common.bus import get_bus
from monasca_events_common.catalog import Catalog
from monasca_events_common.database import get_database
from monasca_events_common import bus
from monasca_events_common import store
from monasca_events_common.store import get_store
from monasca_events_common.stream import StreamLoop
from monasca_events_common.transformer import Transformer
from monasca_events_persister import options
from monasca_events_persister import retention
from monasca_events_persister.retention import Retention
from monasca_events_persister.writer import STAGE
from monasca_events_persister.writer import TRANSFORMED
from monasca_events_persister.writer import Writer

DESCRIPTION = """Read events from the bus and keep them in the store, remove
what has expired, put what can never be stored into the dead letters."""

EPILOG = """Examples:
  monasca-events-persister --config-file /etc/monasca-events/events.conf
  kill -HUP PID        take over a changed retention or batch size
"""


def make(conf: cfg.ConfigOpts) -> Callable[[threading.Event], None]:
    """Return the loop of one worker; called in the worker's process."""
    events_bus = get_bus(conf)
    suit_period(conf)
    events_store = get_store(conf)
    transformer = Transformer(
        lambda: Catalog(get_database(conf)),
        lambda outcome: TRANSFORMED.labels(outcome).inc()
    ) if conf.persister.transforms else None
    loop = StreamLoop(
        STAGE, conf.bus.topic,
        lambda watcher: events_bus.subscribe(conf.bus.topic,
                                             conf.persister.group, watcher),
        Writer(events_store, transformer), deadletters.get_dead_letters(conf),
        conf.persister)
    expiry = Retention(events_store, conf.retention)

    def run(stop: threading.Event) -> None:
        aging = threading.Thread(target=expiry.run, args=(stop,),
                                 name="retention", daemon=True)
        aging.start()
        try:
            loop.run(stop)
        finally:
            aging.join(5.0)
            events_store.close()
            events_bus.close()
    return run


def suit_period(conf: cfg.ConfigOpts) -> None:
    """Let the store's period follow the retention, unless the file names one.

    Only who writes needs to know: a reader takes periods from index names.
    """
    driver = plugins.load(store.NAMESPACE, conf.store.driver)
    if any(opt.name == "period" for opt in driver.OPTS):
        conf.register_opts(driver.OPTS, group=driver.GROUP)
        conf.set_default("period", retention.period(conf.retention.days),
                         group=driver.GROUP)


def start(argv: Sequence[str]) -> int:
    """Check the configuration, then supervise the workers."""
    conf = config.load(argv, "monasca-events-persister", options.groups(),
                       description=DESCRIPTION, epilog=EPILOG)
    # A misspelt driver must stop the start, not a worker again and again.
    plugins.load(bus.NAMESPACE, conf.bus.driver)
    plugins.load(store.NAMESPACE, conf.store.driver)
    return daemon.run(conf, make, workers=conf.persister.workers)


def main() -> int:
    """Console script."""
    return config.run(start)
