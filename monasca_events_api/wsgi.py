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

"""The application for uwsgi, mod_wsgi, gunicorn: ``module:application``.

Each worker process must import this module itself (uwsgi: ``lazy-apps``), for
the clients of bus and store do not survive a fork. Nobody else imports it:
doing so opens what the configuration names.
"""

import os

from monasca_events_api import app
from monasca_events_api import identity
from monasca_events_api import options
from monasca_events_api.command import PROG
from monasca_events_api.live import follower
from monasca_events_api.live import places
from monasca_events_common import bus
from monasca_events_common import config
from monasca_events_common import database
from monasca_events_common import deadletters
from monasca_events_common import store
from monasca_events_common.catalog import secrets

#: Names a configuration file where the usual places will not do.
CONFIG = "MONASCA_EVENTS_CONFIG"


def make_application():
    """Return the application as the configuration files say.

    :raises Misconfigured: they make no sense
    """
    path = os.environ.get(CONFIG)
    conf = config.load(["--config-file", path] if path else [], PROG,
                       [*options.OPTIONS, *options.KERNEL])
    config.set_up_logging(conf)
    threads = places.threads_of_server() or conf.live.server_threads or None
    events_bus = bus.get_bus(conf)
    events_database = database.get_database(conf, patient=True,
                                            silence=app.SILENCE)
    return app.make_app(conf, events_bus, store.get_store(conf),
                        identity.get_identity(conf),
                        events_database,
                        secrets.get_secrets(conf, make=True),
                        deadletters.get_dead_letters(conf),
                        follower.get_follower(
                            conf, events_bus, events_database,
                            places.spare(threads, conf.api.threads)))


# Made on import: uwsgi and mod_wsgi look for it among the module's own names
# and know nothing of a module's __getattr__.
application = make_application()
