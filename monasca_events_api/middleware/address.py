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

"""Refuses addresses and headers that Pecan and WebOb stumble over.

Pecan routes by ``getattr``, so that a client could name attributes; both
decode the address, the query string and ``Accept`` without expecting them to
be wrong.
"""

from urllib import parse

from webob import acceptparse

from monasca_events_api.identity import Application
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected


class Address:
    """Lets through what can be routed."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def __call__(self, environ: dict, start_response):
        _check_path(environ.get("PATH_INFO", ""))
        query = environ.get("QUERY_STRING", "")
        if not _is_text(parse.unquote(query, "latin-1")):
            raise Rejected("the query string is not UTF-8", code="bad_query")
        if not _is_choice(environ):
            # RFC 9110 lets a server act as if it was not there.
            environ.pop("HTTP_ACCEPT", None)
        return self._app(environ, start_response)


def _is_choice(environ: dict) -> bool:
    """Return whether Accept has something to say: only lists have forms."""
    return environ.get("REQUEST_METHOD") in ("GET", "HEAD") and isinstance(
        acceptparse.create_accept_header(environ.get("HTTP_ACCEPT")),
        acceptparse.AcceptValidHeader)


def _check_path(path: str) -> None:
    for part in path.split("/"):
        if part.startswith("_") or part == "index":
            raise NotFound("There is nothing at this address.")
    if not _is_text(path):
        raise NotFound("There is nothing at this address.")


def _is_text(text: str) -> bool:
    """Return whether it is UTF-8, which WSGI hands over as Latin-1."""
    try:
        return text.isascii() or bool(text.encode("latin-1").decode())
    except UnicodeError:
        return False
