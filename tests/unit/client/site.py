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

"""The API on a port of its own, and the weather between it and a client.

What answers is the application that is served in production, on embedded
drivers; only the network can be made worse.
"""

from collections.abc import Callable, Iterable, Sequence
import logging
import threading
import unittest

from keystoneauth1 import session as sessions
from keystoneauth1 import token_endpoint

from monasca_events_client import Client
from monasca_events_client import Retries
from tests.functional import service
from tests.functional.test_server import Running
from tests.integration.daemons import wait_for

Weather = Callable[[Callable, dict, Callable], Iterable[bytes]]


def refuse(status: str, body: bytes = b"", *headers: tuple[str, str]
           ) -> Weather:
    """Return weather in which something on the way answers."""
    def weather(_application, _environ, start_response):
        start_response(status, [("Content-Length", str(len(body))), *headers])
        return [body]
    return weather


def cut(application: Callable, environ: dict, start_response: Callable
        ) -> Iterable[bytes]:
    """Let the request through, and break the connection within the answer."""
    found: list = []
    body = b"".join(application(
        environ, lambda *answer: found.append(answer)))
    status, headers, *_ = found[0]
    start_response(status, [*(one for one in headers
                              if one[0].lower() != "content-length"),
                            ("Content-Length", str(len(body) + 9))])
    return [body[:1]]


def fair(application: Callable, environ: dict, start_response: Callable
         ) -> Iterable[bytes]:
    """Let the request through, and the answer."""
    return application(environ, start_response)


class Site:
    """An API that listens, and what comes to it.

    :ivar requests: method and path of what came
    :ivar headers: of the last one, as WSGI names them
    """

    def __init__(self, **arguments) -> None:
        """:param arguments: of the embedded service"""
        service.set_environment()
        self.service = service.Service(**arguments)
        self.requests: list[str] = []
        self.headers: dict[str, str] = {}
        self._weather: list[Weather] = []
        self._lock = threading.Lock()
        # It warns of the answers that are cut off here on purpose.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        self._running = Running(self._application, self.service.parts.conf,
                                self.service.parts.live.close)
        self.url = f"http://127.0.0.1:{self._running.port}"

    def expect(self, *weather: Weather) -> None:
        """Have the next requests meet this weather, one each."""
        self.requests.clear()
        self._weather[:] = weather

    def close(self) -> None:
        self._running.stop()
        self.service.close()

    def client(self, name: str = "MEMBER", **arguments) -> Client:
        """Return the client of a persona; it waits for nothing.

        What it would have waited is in ``waited`` of its ``sleep``.
        """
        return Client(self.session(name), **{"sleep": Sleep(), **arguments})

    def session(self, name: str = "MEMBER") -> sessions.Session:
        return sessions.Session(auth=token_endpoint.Token(
            self.url, service.ACCOUNTS[name].token))

    def _application(self, environ, start_response):
        with self._lock:
            self.requests.append(
                f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            self.headers = {name: value for name, value in environ.items()
                            if name.startswith("HTTP_")}
            weather = self._weather.pop(0) if self._weather else None
        return (weather or fair)(self.service.application, environ,
                                 start_response)


class Sleep:
    """A sleep that does not.

    :ivar waited: seconds that were asked for
    """

    def __init__(self) -> None:
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class SiteTest(unittest.TestCase):
    """Tests on one site for the class."""

    settings: dict[str, str] = {}

    @classmethod
    def arguments(cls) -> dict:
        """Return the arguments of the site."""
        return {"settings": cls.settings}

    @classmethod
    def setUpClass(cls):
        cls.site = Site(**cls.arguments())
        cls.addClassCleanup(cls.site.close)

    def setUp(self):
        self.site.expect()
        self.sleep = Sleep()
        self.client = self.site.client(sleep=self.sleep, retries=Retries(3))
        self.foreign = self.site.client("FOREIGN_MEMBER")
        self.admin = self.site.client("ADMIN")

    def stored(self, count: int, client: Client | None = None, **filters
               ) -> Sequence[dict]:
        """Return events, once so many are stored."""
        return self._until(count, (client or self.client).events.list,
                           filters)

    def remembered(self, count: int, **filters) -> Sequence[dict]:
        """Return the last events, once the API remembers so many."""
        return self._until(count, self.client.events.recent, filters)

    def _until(self, count: int, ask, filters) -> Sequence[dict]:
        found: list[dict] = []

        def came() -> bool:
            found[:] = ask(**filters)
            return len(found) >= count
        wait_for(f"{count} events came", came, every=0.01)
        return found
