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

"""Services of the cloud, as the engine's own account may use them.

Every plug-in that speaks with one (Aodh, Gnocchi, Monasca, nova) does it
through this: keystoneauth does identity, catalog and HTTP, and what is
answered becomes a value or one of our errors.
"""

from collections.abc import Callable, Mapping
import threading

from keystoneauth1 import exceptions
from keystoneauth1 import session as sessions
from oslo_config import cfg
import requests

from monasca_events_common import credentials
from monasca_events_common import printable
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable

#: The group whose credentials are used unless a plug-in's names another.
GROUP = "engine_auth"

#: Projects whose sessions are kept.
MAX_SESSIONS = 100

#: Characters of an answer that an error repeats.
MAX_SAID = 300


def opts(service_type: str, what: str) -> list[cfg.Opt]:
    """Return the options that say where a service is.

    :param service_type: its type in the catalog
    :param what: its name for people
    """
    return [
        cfg.StrOpt("auth_section", default=GROUP,
                   help=f"The group with the credentials for {what}: "
                        "keystoneauth's options, such as auth_type."),
        cfg.StrOpt("endpoint",
                   help=f"URL of {what}; unless set, it is looked up in the "
                        "identity service's catalog."),
        cfg.StrOpt("service_type", default=service_type,
                   help=f"Type of {what} in the catalog."),
        cfg.StrOpt("interface", default="internal",
                   choices=["internal", "public", "admin"],
                   help=f"Which endpoint of {what} in the catalog is used."),
        cfg.StrOpt("region_name",
                   help=f"Region of {what} in the catalog; any, if unset."),
        cfg.FloatOpt("timeout", default=10.0, min=0.1, mutable=True,
                     help=f"Seconds to wait for {what} at each step."),
    ]


class Refused(Rejected):
    """A service will never take what it was asked.

    :ivar answer: what it answered, decoded; None where that is no JSON
    """

    def __init__(self, message: str, answer=None) -> None:
        super().__init__(message, code="refused")
        self.answer = answer


class Service:
    """One service. Safe for several threads."""

    def __init__(self, conf, name: str, make: Callable[
            [str | None], sessions.Session]) -> None:
        """
        :param conf: an option group with ``opts()``
        :param name: for errors
        :param make: of a project, or None for that of the credentials,
            returns the session
        """
        self.conf = conf
        self.name = name
        self._make = make
        self._lock = threading.Lock()
        self._sessions: dict[str | None, sessions.Session] = {}

    def call(self, method: str, path: str, body=None, *,
             params: Mapping | None = None, project_id: str | None = None):
        """Return what the service answered, decoded; None for nothing.

        :param path: below the endpoint, with its slash
        :param body: sent as JSON
        :param project_id: the project that the token is to be of, where it
            is not that of the credentials
        :raises NotFound, Conflict: 404, 409
        :raises Refused: another 4xx: the same will never be taken
        :raises Misconfigured: 401, 403 or no way to the service: the operator
            must put something right
        :raises Unavailable: 429, 5xx, or no answer
        """
        try:
            answer = self._session(project_id).request(
                (self.conf.endpoint or "").rstrip("/") + path, method,
                json=body, params=params, raise_exc=False, redirect=False,
                log=False, timeout=self.conf.timeout,
                headers={"Accept": "application/json"},
                **({} if self.conf.endpoint else {"endpoint_filter": {
                    "service_type": self.conf.service_type,
                    "interface": self.conf.interface,
                    "region_name": self.conf.region_name}}))
        except (exceptions.Unauthorized, exceptions.EndpointNotFound,
                exceptions.MissingAuthPlugin) as error:
            raise Misconfigured(f"{self.name}: {credentials.sentence(error)}"
                                ) from error
        except (exceptions.ClientException, OSError) as error:
            raise Unavailable(f"{self.name} does not answer: "
                              f"{credentials.sentence(error)}") from error
        return self._read(answer)

    def _session(self, project_id: str | None) -> sessions.Session:
        with self._lock:
            found = self._sessions.pop(project_id, None)
            if found is None:
                found = self._make(project_id)
            self._sessions[project_id] = found
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            return found

    def _read(self, answer: requests.Response):
        status = answer.status_code
        if 200 <= status < 300:
            if not answer.content:
                return None
            try:
                return answer.json()
            except ValueError as error:
                raise Unavailable(f"{self.name} answered {status} with "
                                  "something else than JSON") from error
        said = f"{self.name} answered {status}: " + printable.escape(
            " ".join(answer.text.split()), MAX_SAID)
        if status in (401, 403):
            raise Misconfigured(said)
        if status == 404:
            raise NotFound(said)
        if status == 409:
            raise Conflict(said)
        if status == 429 or status >= 500:
            raise Unavailable(said)
        try:
            raise Refused(said, answer.json())
        except ValueError:
            raise Refused(said) from None


class Accounts:
    """Makes services of their options. Connects to nothing."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def service(self, conf, name: str) -> Service:
        """Return a service.

        :param conf: an option group with ``opts()``
        :param name: for errors
        :raises Misconfigured: its credentials cannot work
        """
        def make(project_id: str | None) -> sessions.Session:
            changed = {} if project_id is None else {
                "project_id": project_id, "project_name": None,
                "project_domain_id": None, "project_domain_name": None}
            return credentials.make_session(self._conf, conf.auth_section,
                                            **changed)
        found = Service(conf, name, make)
        # What is wrong is found out at the start.
        found._session(None)
        return found
