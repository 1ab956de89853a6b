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

"""The API's endpoints: where to post, as whom, and what was answered.

keystoneauth does the identity and the HTTP; this chooses the endpoint, fails
over, and turns whatever cannot be answered into Unavailable. What an answer
means for the events is the poster's business.
"""

from collections.abc import Callable, Mapping
import dataclasses
import email.utils
import logging
import time

from keystoneauth1 import exceptions
from keystoneauth1 import session as keystone_session
from oslo_config import cfg

from monasca_events_common import credentials
from monasca_events_common.errors import IdentityUnavailable
from monasca_events_common.errors import Unavailable

LOG = logging.getLogger(__name__)

OPTS = [
    cfg.ListOpt("endpoints", default=[],
                help="URLs of the events API, the preferred one first, such "
                     "as https://events-1.example.org:5656. When one fails, "
                     "the next one is used and kept. Empty looks the service "
                     "up in the identity service's catalog."),
    cfg.StrOpt("service_type", default="event",
               help="Type of the service in the catalog."),
    cfg.StrOpt("endpoint_type", default="internal",
               choices=["internal", "public", "admin"],
               help="Interface of the endpoint in the catalog."),
    cfg.StrOpt("region_name",
               help="Region of the endpoint in the catalog; any, if unset."),
    cfg.FloatOpt("endpoint_retry", default=60.0, min=0.0, mutable=True,
                 help="Seconds for which an endpoint that failed is tried "
                      "after all others."),
    cfg.FloatOpt("write_timeout", default=30.0, min=0.1, mutable=True,
                 help="Seconds to wait for a connection, and for each part "
                      "of an answer. After it the batch is posted again."),
]

#: The group of the credentials: keystoneauth's options, as every OpenStack
#: service has them.
AUTH_GROUP = "api_auth"

# Seconds between two tries at an identity service that does not answer. A try
# may be two requests: versions, then a token.
_IDENTITY_PAUSE = 2.0
# No answer may make the agent wait longer than that.
_LONGEST_WAIT = 300.0
# A file of certificates that vanished is an OSError that requests lets pass.
_TROUBLE = (exceptions.ClientException, OSError)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered.

    :ivar retry_after: seconds after which it wants to be asked again
    """

    status: int
    body: bytes
    retry_after: float = 0.0


class Endpoints:
    """Posts to the first endpoint that works. For one thread only."""

    def __init__(self, conf, session: keystone_session.Session,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """
        :param conf: an option group with OPTS
        :param session: has an auth plugin
        """
        self.conf = conf
        self._session = session
        self._clock = clock
        self._current: str | None = None
        self._failed_at: dict[str, float] = {}

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return the answer of the first endpoint that gives one below 500.

        :raises IdentityUnavailable: there is no token to be had
        :raises Unavailable: no endpoint answers, or all answer 5xx
        """
        self._authenticate()
        trouble: Unavailable | None = None
        for url in self._ordered():
            try:
                answer = self._post(url, body, headers)
            except Unavailable as error:
                trouble = error
                self._failed_at[url] = self._clock()
                LOG.debug("%s", error)
                continue
            if url != self._current:
                if self._current is not None:
                    LOG.warning("events go to %s from now on", url)
                self._current = url
            self._failed_at.pop(url, None)
            return answer
        raise trouble or Unavailable("there is no endpoint to post to",
                                     code="no_endpoint")

    def _authenticate(self) -> None:
        """Have a token, or say that the trouble is not the API's."""
        try:
            self._session.get_auth_headers()
        except _TROUBLE as error:
            raise IdentityUnavailable(
                f"no token for the agent: {credentials.sentence(error)}",
                retry_after=_IDENTITY_PAUSE) from error

    def _ordered(self) -> list[str]:
        """Return the URLs: the one in use, the untried, those that failed."""
        now = self._clock()

        def rank(url: str) -> int:
            failed = self._failed_at.get(url)
            if failed is not None and now - failed < self.conf.endpoint_retry:
                return 2
            return 0 if url == self._current else 1
        return sorted(self._urls(), key=rank)

    def _urls(self) -> list[str]:
        if self.conf.endpoints:
            return [_events(url) for url in self.conf.endpoints]
        try:
            url = self._session.get_endpoint(
                service_type=self.conf.service_type,
                interface=self.conf.endpoint_type,
                region_name=self.conf.region_name)
        except _TROUBLE as error:
            raise IdentityUnavailable(
                f"no catalog for the agent: {credentials.sentence(error)}",
                retry_after=_IDENTITY_PAUSE) from error
        if not url:
            raise Unavailable(
                f"the catalog has no {self.conf.endpoint_type} endpoint of "
                f"type {self.conf.service_type}; see [poster] endpoints",
                code="no_endpoint", retry_after=_IDENTITY_PAUSE)
        return [_events(url)]

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]
              ) -> Answer:
        try:
            # A 401 makes keystoneauth fetch one new token and post again.
            response = self._session.request(
                url, "POST", data=body, headers=dict(headers), log=False,
                raise_exc=False, redirect=False,
                timeout=self.conf.write_timeout)
        except _TROUBLE as error:
            raise Unavailable(
                f"{url} does not answer: {credentials.sentence(error)}",
                code="api_down", retry_after=0.0) from error
        answer = Answer(response.status_code, response.content, _seconds(
            response.headers.get("Retry-After")))
        if answer.status >= 500:
            raise Unavailable(f"{url} answered {answer.status}",
                              code=f"api_{answer.status}",
                              retry_after=answer.retry_after)
        return answer


def make_session(conf: cfg.ConfigOpts) -> keystone_session.Session:
    """Return the session that ``[api_auth]`` describes.

    Raises Misconfigured. Connects to nothing.
    """
    return credentials.make_session(conf, AUTH_GROUP)


def _events(url: str) -> str:
    url = url.rstrip("/")
    return url + ("/events" if url.endswith("/v1.0") else "/v1.0/events")


def _seconds(retry_after: str | None) -> float:
    """Return the seconds that a Retry-After header asks for."""
    if not retry_after:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(retry_after)
        except ValueError:
            return 0.0
        seconds = moment.timestamp() - time.time()
    return min(max(seconds, 0.0), _LONGEST_WAIT)
