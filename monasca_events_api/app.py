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

"""The WSGI application, composed of its parts.

The order matters and is fixed here: request id, faults, headers, identity,
body, Pecan. A request without a valid token is answered before its body is
looked at.
"""

from collections.abc import Callable
import datetime
import logging
import re

from oslo_config import cfg
import pecan

from monasca_events_api import policies
from monasca_events_api import timeline
from monasca_events_api.controllers import root
from monasca_events_api.history import History
from monasca_events_api.identity import Application
from monasca_events_api.identity import Identity
from monasca_events_api.live.follower import Follower
from monasca_events_api.middleware.address import Address
from monasca_events_api.middleware.body import Body
from monasca_events_api.middleware.faults import Faults
from monasca_events_api.middleware.headers import Headers
from monasca_events_api.middleware.request_id import RequestId
from monasca_events_api.timeline.gatherer import Gatherer
from monasca_events_common.bus import Bus
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog.jobs import Jobs
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import Misconfigured
from monasca_events_common.store import Store

#: Seconds for which the database may say nothing to a request: as long is a
#: thread held that could take events.
SILENCE = 5

#: Addresses that need no token.
PUBLIC = frozenset(("", "/", "/version", "/version/", "/healthcheck",
                    "/healthcheck/", "/v1.0", "/v1.0/",
                    "/v1.0/openapi.json"))


def utc_now() -> datetime.datetime:
    """The clock of a running service."""
    return datetime.datetime.now(datetime.timezone.utc)


def make_app(conf: cfg.ConfigOpts, bus: Bus, store: Store,
             identity: Identity, database: Database, secrets: Secrets,
             dead_letters: DeadLetters, live: Follower,
             clock: Callable[[], datetime.datetime] = utc_now) -> Application:
    """Return the application.

    :param conf: with the groups of :mod:`monasca_events_api.options`; mutable
        options are read at each request
    :param clock: returns an aware time in UTC
    :raises Misconfigured: an option makes no sense
    """
    history = History(database)
    controller = root.RootController(root.Parts(
        conf=conf, bus=bus, store=store, identity=identity,
        database=database, catalog=Catalog(database), secrets=secrets,
        history=history, jobs=Jobs(database), dead_letters=dead_letters,
        live=live, clock=clock,
        timeline=Gatherer(timeline.get_sources(conf, timeline.Reach(
            store, history, conf)), conf[timeline.GROUP]),
        policy=policies.Policy(conf),
        project_id=_pattern(conf.api.project_id_pattern)))
    # Pecan complains at ERROR of what a client did wrong.
    logging.getLogger("pecan").setLevel(logging.CRITICAL)
    app = pecan.make_app(controller, use_context_locals=False, debug=False,
                         default_renderer="json", force_canonical=False,
                         guess_content_type_from_ext=False)
    app = Body(Address(app), conf.limits)
    app = _but_for_public(identity.protect(app), app)
    return RequestId(Faults(Headers(app)))


def _but_for_public(protected: Application, app: Application) -> Application:
    def choose(environ, start_response):
        is_public = environ.get("PATH_INFO", "") in PUBLIC
        return (app if is_public else protected)(environ, start_response)
    return choose


def _pattern(text: str) -> re.Pattern:
    try:
        return re.compile(text)
    except re.error as error:
        raise Misconfigured(
            f"[api] project_id_pattern is not an expression: {error}"
        ) from error
