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

"""Requests to the API: where it is, who asks, and trying again.

Everything goes through :class:`Transport`; the resources beside it know paths
and bodies only. Tokens are keystoneauth's business.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import json as jsons
import random
import re
import time
from typing import Any
from urllib import parse

from keystoneauth1 import adapter as adapters
from keystoneauth1 import exceptions as ksa
import requests

from monasca_events_client import errors

#: As OpenStack's catalog names the service; keystoneauth knows its alias
#: ``events``.
SERVICE_TYPE = "event"

#: Statuses that say that the same request may succeed later.
LATER = (429, 503)

#: Methods that may be sent again when nobody knows whether they arrived.
_SAFE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")

_VERSION = re.compile(r"/v1(\.0)?/*\Z")

_REASON = re.compile(r"\[Errno -?[0-9]+\] ([^'\")]+)")

#: Query parameters, in their order; names may repeat.
Query = Sequence[tuple[str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long one call is tried again.

    :ivar tries: requests after the first one
    :ivar seconds: what waiting may take altogether; an answer that asks for
        more is an error at once
    :ivar pause: seconds before the second try where nobody says how long;
        doubled each time
    """

    tries: int = 5
    seconds: float = 60.0
    pause: float = 0.5


class Transport:
    """The API at one endpoint, as one user sees it."""

    def __init__(self, adapter: adapters.Adapter, *,
                 retries: Retries = Retries(),  # noqa: B008 it is a value
                 timeout: float | None = 60.0,
                 sleep: Callable[[float], None] = time.sleep,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """
        :param timeout: seconds without a byte after which an answer is given
            up, None for what the session says
        """
        self._adapter = adapter
        self._retries = retries
        self._timeout = timeout
        self._sleep = sleep
        self._clock = clock
        self._root: str | None = None
        self._limits: Mapping[str, int] | None = None

    def root(self) -> str:
        """Return the URL of the API without a version and a slash.

        :raises NoEndpoint: the catalog has none
        """
        if self._root is None:
            with _Translated():
                found = self._adapter.get_endpoint()
            if not found:
                region = self._adapter.region_name
                raise errors.NoEndpoint(
                    f"the catalog has no {self._adapter.interface} endpoint "
                    f"of the type {SERVICE_TYPE}"
                    + (f" in the region {region}" if region else ""))
            self._root = _VERSION.sub("", found).rstrip("/")
        return self._root

    def limits(self) -> Mapping[str, int]:
        """Return the limits that the API announces; asked for once."""
        if self._limits is None:
            self._limits = self.json("GET", "/v1.0")["version"]["limits"]
        return self._limits

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of an answer, None of an empty one.

        :param options: those of :meth:`request`
        :raises ApiError: it is no JSON
        """
        response = self.request(method, path, **options)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise errors.ServerError(
                f"{method} {path}: the answer is not JSON; is "
                f"{self.root()} the address of the event service?",
                status=response.status_code, code="not_json") from None

    def request(self, method: str, path: str, *, query: Query = (),
                json: Any = None, body: bytes | None = None,
                headers: Mapping[str, str] | None = None,
                repeatable: bool | None = None, patient: bool = True,
                secret: bool = False, stream: bool = False,
                timeout: float | None = None) -> requests.Response:
        """Return an answer that is no error.

        :param path: below the root, as ``/v1.0/events``
        :param json: the body, in place of ``body``
        :param repeatable: whether sending it twice does what once does, and
            so may be done when no answer came; by default the method says
        :param patient: whether 503 and 429 are tried again
        :param secret: keep request and answer out of debug logs
        :param stream: leave the body unread
        :param timeout: in place of the client's
        :raises ApiError: the API said no, for good or for too long
        :raises Unreachable: no answer came
        """
        safe = method in _SAFE if repeatable is None else repeatable
        given = dict(headers or {})
        if json is not None:
            body = dump(json)
            given.setdefault("Content-Type", "application/json")
        options: dict[str, Any] = {
            "params": list(query), "data": body, "headers": given,
            "stream": stream, "log": not (secret or stream),
            "raise_exc": False}
        if timeout or self._timeout:
            options["timeout"] = timeout or self._timeout
        url = self.root() + path
        patience = _Patience(self._retries, self._clock)
        lost = False
        while True:
            try:
                response = self._send(url, method, options)
            except errors.Unreachable as error:
                if not (safe and error.retriable):
                    raise
                lost = True
                self._wait(patience, error, None)
                continue
            status = response.status_code
            if status < 400 or (method == "DELETE" and status == 404 and lost):
                # The DELETE before this one did arrive.
                return response
            error = errors.of_response(response)
            if status not in LATER or not patient:
                raise error
            self._wait(patience, error, error.retry_after)

    def _send(self, url: str, method: str, options: Mapping[str, Any]
              ) -> requests.Response:
        with _Translated():
            return self._adapter.request(url, method, **options)

    def _wait(self, patience: "_Patience", error: errors.ClientError,
              asked: float | None) -> None:
        """Return when to try again; raise the error when not to."""
        seconds = patience.next(asked)
        if seconds is None:
            raise error
        self._sleep(seconds)


class _Patience:
    """How long one call still waits."""

    def __init__(self, retries: Retries, clock: Callable[[], float]) -> None:
        self._retries = retries
        self._clock = clock
        self._ends = clock() + retries.seconds
        self._done = 0

    def next(self, asked: float | None) -> float | None:
        """Return the seconds to wait before the next try, None for none."""
        pause = self._retries.pause * 2 ** self._done
        # Those who were sent away together shall not come back together.
        jitter = random.uniform(0, pause / 2)  # noqa: S311
        wait = jitter + (pause / 2 if asked is None else asked)
        self._done += 1
        if self._done > self._retries.tries \
                or self._clock() + wait > self._ends:
            return None
        return wait


class _Translated:
    """Raises keystoneauth's errors as this package's."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _cls: Any, error: Any, _traceback: Any) -> None:
        if isinstance(error, ksa.ClientException):
            raise _translate(error) from error
        if isinstance(error, requests.RequestException):
            raise errors.Unreachable(
                f"no answer came: {error}") from error


def _translate(error: ksa.ClientException) -> errors.ClientError:
    text = " ".join(str(error).split())
    if isinstance(error, ksa.CatalogException):
        return errors.NoEndpoint(text)
    if isinstance(error, ksa.DiscoveryFailure):
        return errors.Unreachable(text)
    if isinstance(error, ksa.ConnectionError):
        # What requests and urllib3 wrap around it is nothing to people.
        what, _, why = text.partition(": HTTP")
        reason = _REASON.search(why)
        return errors.Unreachable(
            what + (f": {reason[1]}" if reason else ""),
            retriable=not isinstance(error, ksa.SSLError))
    if isinstance(error, ksa.HttpError) and error.response is not None:
        # Of the identity service: who asks could not be told.
        found = errors.of_response(error.response)
        found.args, found.message = (text,), text
        return found
    return errors.NoCredentials(text)


def dump(value: Any) -> bytes:
    """Return the JSON of a value in UTF-8.

    :raises ValueError: it has no JSON: NaN, half a character, a set, …
    """
    try:
        return jsons.dumps(value, ensure_ascii=False, allow_nan=False,
                           separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"this has no JSON form: {error}") from None


def quote(text: str) -> str:
    """Return a part of a path, whatever is in it.

    :raises ValueError: it would be another path
    """
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} is no id")
    return parse.quote(text, safe="")
