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


"""Asking another service of the cloud with the caller's own token.

So that service decides what the caller may see, and this one needs no account
there. Answers are bounded and nothing is followed elsewhere.
"""

from collections.abc import Mapping, Sequence
import time
from typing import Any
from urllib import parse

from oslo_config import cfg
import orjson
import requests

from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable

#: Bytes of an answer at most.
_MOST = 4 << 20


def opts(what: str, example: str) -> list[cfg.Opt]:
    """Return the options of a service.

    :param what: its name for people
    :param example: its URL
    """
    return [
        cfg.StrOpt("endpoint",
                   help=f"URL of {what}, such as {example}. The token of "
                        "whoever asks for a timeline is sent there."),
        cfg.StrOpt("cafile",
                   help="File of certificates that may sign that of "
                        f"{what}; the system's unless set."),
        cfg.FloatOpt("timeout", default=3.0, min=0.1, mutable=True,
                     help=f"Seconds to wait for {what} at each step."),
        cfg.IntOpt("metrics", default=10, min=1, max=200, mutable=True,
                   help="Metrics of one resource that a timeline shows at "
                        "most."),
        cfg.IntOpt("points", default=100, min=2, max=1000, mutable=True,
                   help="Values of one metric that a timeline shows, about: "
                        "their granularity is chosen by it."),
    ]


class Service:
    """One service. Safe for several threads."""

    def __init__(self, conf, what: str) -> None:
        """:param conf: a group with the options of :func:`opts`
        :param what: its name for people
        :raises Misconfigured: nobody says where it is
        """
        if not conf.endpoint:
            raise Misconfigured(f"[timeline] sources names {what}, and its "
                                "endpoint is not set")
        self._conf = conf
        self._what = what
        self._url = conf.endpoint.rstrip("/")

    def get(self, path: str, token: str,
            query: Sequence[tuple[str, Any]] = ()) -> Any:
        """Return the JSON of an answer.

        :param path: its parts are quoted already
        :raises NotFound: there is nothing at this address for the caller
        :raises Rejected: it will not answer this caller
        :raises Unavailable: it does not answer now
        """
        try:
            with requests.get(
                    f"{self._url}{path}", params=list(query), stream=True,
                    headers={"X-Auth-Token": token,
                             "Accept": "application/json"},
                    timeout=self._conf.timeout, allow_redirects=False,
                    verify=self._conf.cafile or True) as answer:
                return self._read(answer)
        except requests.RequestException as error:
            raise Unavailable(f"{self._what} does not answer: "
                              f"{type(error).__name__}") from error

    def _read(self, answer: requests.Response) -> Any:
        status = answer.status_code
        if status == 404:
            raise NotFound(f"{self._what} has nothing of it")
        if status in (429, 500, 502, 503, 504):
            raise Unavailable(f"{self._what} answered {status}")
        if status != 200:
            raise Rejected(f"{self._what} answered {status}")
        body = b""
        deadline = time.monotonic() + 2 * self._conf.timeout
        for chunk in answer.iter_content(64 * 1024):
            body += chunk
            if len(body) > _MOST or time.monotonic() > deadline:
                raise Rejected(f"the answer of {self._what} is too long")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Rejected(f"the answer of {self._what} is not JSON") \
                from None


def quote(text: str) -> str:
    """Return a part of a path, whatever is in it."""
    return parse.quote(text, safe="")


def series(source: str, name: str, unit: str | None, granularity: float,
           points: Sequence[Sequence]) -> Mapping[str, Any]:
    """Return one metric as a timeline shows it.

    :param granularity: seconds of one value
    :param points: pairs of a time and a value
    """
    return {"source": source, "name": name, "unit": unit,
            "granularity": granularity, "points": list(points)}
