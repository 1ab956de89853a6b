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

"""The outermost middleware: request ids and the access log."""

import logging
import re
import time
import uuid

from monasca_events_api import context
from monasca_events_api.identity import Application

LOG = logging.getLogger(__name__)

HEADER = "x-openstack-request-id"

_GLOBAL = re.compile(r"req-[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\Z")
_UNSAFE = re.compile(r"[^!-~]")


class RequestId:
    """Gives every request an id and every answer the header with it.

    A request id that the caller sends becomes the global request id, where it
    looks like one.
    """

    def __init__(self, app: Application, clock=time.monotonic) -> None:
        self._app = app
        self._clock = clock

    def __call__(self, environ: dict, start_response):
        started = self._clock()
        request_id = f"req-{uuid.uuid4()}"
        environ[context.REQUEST_ID] = request_id
        given = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        if _GLOBAL.match(given):
            environ[context.GLOBAL_REQUEST_ID] = given
        context.begin(environ)
        method = environ.get("REQUEST_METHOD", "")
        path = environ.get("PATH_INFO", "")

        def start(status, headers, exc_info=None):
            LOG.info("%s %s %s %.1f ms", printable(method),
                     printable(path), status[:3],
                     1000 * (self._clock() - started))
            return start_response(
                status, [*headers, (HEADER, request_id)], exc_info)

        return self._app(environ, start)


def printable(text: str) -> str:
    """Return a client's text so that it cannot forge or colour a log line."""
    return _UNSAFE.sub(lambda found: f"\\x{ord(found.group()):02x}",
                       text[:256])
