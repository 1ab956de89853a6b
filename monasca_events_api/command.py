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

"""The command ``monasca-events-api``: serves the API without a web server.

Several worker processes share one listening socket, which the parent makes
before it forks. Behind a web server of your own use
``monasca_events_api.wsgi:application`` instead.
"""

from collections.abc import Sequence
import socket
import sys
import threading

from oslo_config import cfg

from monasca_events_api import app
from monasca_events_api import identity as identities
from monasca_events_api import memory
from monasca_events_api import options
from monasca_events_api import server
from monasca_events_api.live import follower
from monasca_events_common import bus as buses
from monasca_events_common import config
from monasca_events_common import daemon
from monasca_events_common import database as databases
from monasca_events_common import deadletters
from monasca_events_common import store as stores
from monasca_events_common.catalog import secrets
from monasca_events_common.errors import Misconfigured

PROG = "monasca-events-api"

EPILOG = """Examples:
  monasca-events-api --config-file /etc/monasca-events/monasca-events.conf
  gunicorn 'monasca_events_api.wsgi:application'    behind a server of yours
  kill -HUP PID        take over changed limits
"""


def serve(argv: Sequence[str]) -> int:
    """Serve until SIGTERM."""
    memory.spare()
    conf = config.load(argv, PROG, [*options.OPTIONS, *options.KERNEL],
                       description="Serves the HTTP API of Monasca Events.",
                       epilog=EPILOG)
    # Once before there are workers: tables that are not ours stop the start.
    databases.get_database(conf, patient=True).close()
    secrets.get_secrets(conf, make=True)
    with listen(conf.api.host, conf.api.port, conf.api.backlog) as sock:
        identity = identities.get_identity(conf)
        identity.listening(conf.api.host, sock.getsockname()[1])
        return daemon.run(conf, maker(sock, identity), conf.api.workers)


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a listening socket.

    :raises Misconfigured: the address is taken or not of this machine
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE)[0]
        sock = socket.create_server(address, family=family, backlog=backlog)
    except OSError as error:
        raise Misconfigured(
            f"[api] host = {host}, port = {port}: {error}") from error
    sock.setblocking(False)
    return sock


def maker(sock: socket.socket, identity: identities.Identity):
    """Return what makes a worker's loop, in the worker's process."""
    def make(conf: cfg.ConfigOpts) -> daemon.Loop:
        bus = buses.get_bus(conf)
        store = stores.get_store(conf)
        database = databases.get_database(conf, patient=True,
                                          silence=app.SILENCE)
        letters = deadletters.get_dead_letters(conf)
        live = follower.get_follower(conf, bus, database)
        application = app.make_app(conf, bus, store, identity, database,
                                   secrets.get_secrets(conf, make=True),
                                   letters, live)

        def loop(stop: threading.Event) -> None:
            try:
                server.run(application, sock, conf, stop, live.close)
            finally:
                live.close()
                bus.close()
                store.close()
                database.close()
                letters.close()
        return loop
    return make


def main(argv: Sequence[str] | None = None) -> int:
    return config.run(serve, argv)


if __name__ == "__main__":
    sys.exit(main())
