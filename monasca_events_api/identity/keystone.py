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

"""Identity by Keystone, through keystonemiddleware's auth_token.

Validated tokens are kept for ``token_cache_time`` seconds, so a revoked one
passes for as long. Where Keystone cannot be reached, tokens in the cache go
on working and others are answered 503.
"""

import functools
import logging
import threading
import time

from keystoneauth1 import exceptions as keystone_exceptions
from keystonemiddleware import auth_token
from keystonemiddleware import opts as middleware_opts
from oslo_config import cfg

from monasca_events_api.identity import Application
from monasca_events_api.identity import Identity
from monasca_events_common.errors import IdentityUnavailable
from monasca_events_common.health import Health

LOG = logging.getLogger(__name__)

#: Seconds for which a failure to reach Keystone shows in the health.
_MEMORY = 60.0


class KeystoneIdentity(Identity):
    """Puts auth_token in front of the application."""

    GROUP = "keystone_authtoken"

    OPTS = [opt for group, opts in middleware_opts.list_auth_token_opts()
            if group == "keystone_authtoken" for opt in opts]

    def __init__(self, conf: cfg.ConfigOpts, clock=time.monotonic) -> None:
        """:param conf: the whole configuration; auth_token takes no less"""
        self._conf = conf
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_at: float | None = None

    @classmethod
    def make(cls, conf: cfg.ConfigOpts) -> "KeystoneIdentity":
        return cls(conf)

    def protect(self, app: Application) -> Application:
        protocol = auth_token.AuthProtocol(app, self._settings())
        return functools.partial(self._call, protocol)

    def _settings(self) -> dict:
        """Return what auth_token is told beyond the operator's file.

        Settings given to auth_token here win over the file, hence only those
        that the file left alone.
        """
        settings = {"oslo_config_config": self._conf,
                    "oslo_config_project": "monasca-events",
                    # Access rules of application credentials name it.
                    "service_type": "event",
                    # With the decision delayed, a Keystone that is away
                    # would look like a bad token: 401 instead of 503.
                    "delay_auth_decision": False}
        self._conf.register_opts(self.OPTS, group=self.GROUP)
        if self._conf[self.GROUP].http_connect_timeout is None:
            # Without it one unreachable Keystone holds every thread.
            settings["http_connect_timeout"] = 5
        # auth_token's own three would make 23 seconds of the five; whoever is
        # answered 503 comes again. A default: what the file says still wins.
        self._conf.set_default("http_request_max_retries", 0,
                               group=self.GROUP)
        return settings

    def _call(self, protocol: Application, environ: dict, start_response):
        # With a service token beside the user's, auth_token leaves out the
        # access rules of an application credential; and whose user has the
        # role service could send its own token as both. Nothing here needs
        # service tokens.
        environ.pop("HTTP_X_SERVICE_TOKEN", None)
        seen: list[str] = []

        def start(status, headers, exc_info=None):
            seen.append(status)
            return start_response(status, headers, exc_info)

        try:
            answer = protocol(environ, start)
        except keystone_exceptions.ClientException as error:
            # auth_token translates most of them, not all.
            self._note(False)
            LOG.warning("a token cannot be validated: %s: %s",
                        type(error).__name__, error)
            raise IdentityUnavailable(
                "Keystone cannot validate the token now") from error
        reached_us = environ.get("HTTP_X_IDENTITY_STATUS") == "Confirmed"
        if reached_us or seen[:1] != ["503 Service Unavailable"]:
            self._note(True)
        else:
            self._note(False)
        return answer

    def _note(self, reachable: bool) -> None:
        with self._lock:
            self._failed_at = None if reachable else self._clock()

    def health(self) -> Health:
        with self._lock:
            failed_at = self._failed_at
        if failed_at is not None and self._clock() - failed_at < _MEMORY:
            return Health(False, "Keystone did not answer when a token was "
                                 "last validated")
        return Health(True)
