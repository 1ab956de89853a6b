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

"""The way in: one object for one API, as one user sees it."""

from collections.abc import Callable, Mapping
import time
from typing import Any

from keystoneauth1 import adapter as adapters
from keystoneauth1 import session as sessions

from monasca_events_client import errors
from monasca_events_client import filters
from monasca_events_client.dead_letters import DeadLetters
from monasca_events_client.events import Events
from monasca_events_client.firings import Firings
from monasca_events_client.notification_methods import NotificationMethods
from monasca_events_client.services import Services
from monasca_events_client.stream import Stream
from monasca_events_client.transforms import Transforms
from monasca_events_client.transport import Retries
from monasca_events_client.transport import SERVICE_TYPE
from monasca_events_client.transport import Transport
from monasca_events_client.triggers import Triggers

_NAME = "monasca-events-client"


class Client:
    """The event service.

    :ivar events: posting, listing, counting and exporting events
    :ivar triggers: triggers, trying them, back-tests, templates
    :ivar firings: what triggers did
    :ivar notification_methods: whom they tell
    :ivar transforms: what becomes of events when they are stored
    :ivar dead_letters: what could not be stored; for operators
    :ivar services: how the services stand; for operators
    """

    def __init__(self, session: sessions.Session,
                 region_name: str | None = None, interface: str = "public",
                 endpoint_override: str | None = None, *,
                 auth: Any = None, timeout: float | None = 60.0,
                 retries: Retries = Retries(),  # noqa: B008 it is a value
                 global_request_id: str | None = None,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        """
        :param endpoint_override: URL of the API, in place of the catalog's
        :param auth: an auth plug-in of keystoneauth, in place of the session's
        :param timeout: seconds without a byte after which an answer is given
            up
        :param retries: how often and how long a call is tried again
        :param global_request_id: ``req-`` and a UUID, for the logs of all
            services that a task touches
        """
        self._sleep = sleep
        self._transport = Transport(
            adapters.Adapter(
                session, service_type=SERVICE_TYPE, auth=auth,
                region_name=region_name, interface=interface,
                endpoint_override=endpoint_override, client_name=_NAME,
                global_request_id=global_request_id),
            retries=retries, timeout=timeout, sleep=sleep)
        self.events = Events(self._transport)
        self.triggers = Triggers(self._transport)
        self.firings = Firings(self._transport)
        self.notification_methods = NotificationMethods(self._transport)
        self.transforms = Transforms(self._transport)
        self.dead_letters = DeadLetters(self._transport)
        self.services = Services(self._transport)

    @property
    def endpoint(self) -> str:
        """The URL of the API, without a version.

        :raises NoEndpoint: the catalog has none
        """
        return self._transport.root()

    def stream(self, *, last_id: str = "", patience: float = 300.0,
               gap: Callable[[Mapping[str, Any]], None] | None = None,
               **given: Any) -> Stream:
        """Return events as they come.

        :param last_id: of a stream before, to go on behind it
        :param patience: seconds for which the API may be away meanwhile
        :param gap: told that events were left out: ``reason``, ``missed``
        :param given: filters, see :func:`.filters.of_events`; ``pattern``, a
            pattern of the rule language as JSON
        """
        return Stream(self._transport, filters.of_events(**given),
                      last_id=last_id, patience=patience, gap=gap,
                      sleep=self._sleep)

    def timeline(self, *, resource_id: str | None = None,
                 request_id: str | None = None, **given: Any
                 ) -> dict[str, Any]:
        """Return everything about one resource or request on one axis.

        Its ``spans`` are pairs of a beginning and an end; ``sources`` says
        what could not be asked.

        :param resource_id: or ``request_id``, one of them
        :param given: ``since``, ``until``, ``project_id``, ``all_projects``,
            ``related`` (False leaves out what only happened in the same
            requests), ``gap``, seconds from which on a silence is one
        :raises ValueError: both ids, or none
        """
        if (resource_id is None) == (request_id is None):
            raise ValueError("expected resource_id or request_id, one of them")
        return self._transport.json(
            "GET", "/v1.0/timeline", query=filters.of_listing(
                resource_id=resource_id, request_id=request_id, **given))

    def version(self) -> dict[str, Any]:
        """Return what the API says of its version, with ``limits`` and
        ``quotas``."""
        return self._transport.json("GET", "/v1.0")["version"]

    def health(self) -> dict[str, Any]:
        """Return ``{"healthy", "parts": {name: {"ok", "detail"}}}``.

        Also when something is not well; only an answer of another form is an
        error.
        """
        try:
            return self._transport.json("GET", "/healthcheck", patient=False)
        except errors.ServiceUnavailable as error:
            if "healthy" not in error.details:
                raise
            return error.details
