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

"""A process that delivers webhooks, to be killed: ``python -m
tests.integration.delivering DATABASE KEY_FILE PORT [--insert METHOD_ID]``.

With ``--insert`` it plays the engine too: it commits firings with deliveries
and hands them over, until it is killed or told to stop by SIGTERM.
"""

import argparse
import signal
import sys
import threading
import time

from oslo_config import cfg

from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.errors import Unavailable
from monasca_events_engine.actions import Actions
from monasca_events_engine.actions.webhook import Webhook
from monasca_events_engine.dispatcher import Dispatcher
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import firing_row
from tests.unit.engine.outgoing import options
from tests.unit.engine.outgoing import parts
from tests.unit.engine.outgoing import row
from tests.unit.engine.outgoing import Table

#: Seconds of a lease: what a killed process had comes again so soon.
LEASE = 1.0




def webhook(database: Database, *ports: int) -> Webhook:
    """Return the action as it is, allowed to go to ports of loopback."""
    conf = cfg.ConfigOpts()
    conf.register_opts(Webhook.OPTS, group=Webhook.GROUP)
    conf([], project="test", default_config_files=[], default_config_dirs=[])
    conf.set_override("schemes", ["http"], group=Webhook.GROUP)
    conf.set_override("ports", list(ports), group=Webhook.GROUP)
    conf.set_override("allowed_networks", ["127.0.0.0/8"],
                      group=Webhook.GROUP)
    return Webhook(conf[Webhook.GROUP], parts(database))


def insert(dispatcher: Dispatcher, database: Database, method_id: str,
           stop: threading.Event) -> None:
    """Commit and hand over, again and again."""
    table = Table(database)
    while not stop.wait(0.01):
        now = time.time()
        content = firing()
        rows = [row(content, now, action="webhook", method_id=method_id,
                    lease_owner=dispatcher.owner, lease_until=now + LEASE)
                for _ in range(3)]
        try:
            table.insert(rows, content)
        except Unavailable as error:
            print(f"not inserted: {error}", file=sys.stderr)
            continue
        dispatcher.wake(rows, [firing_row(content, now)])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("key_file")
    parser.add_argument("port", type=int)
    parser.add_argument("--insert", metavar="METHOD_ID")
    arguments = parser.parse_args()
    database = Database(arguments.database)
    dispatcher = Dispatcher(
        database, Catalog(database), Secrets(arguments.key_file),
        Actions({"webhook": webhook(database, arguments.port)}),
        options(lease=LEASE, poll_interval=0.1, interval=0.1))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("ready", flush=True)
    if arguments.insert:
        threading.Thread(target=insert, daemon=True, args=(
            dispatcher, database, arguments.insert, stop)).start()
    dispatcher.run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
