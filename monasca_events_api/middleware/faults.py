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

"""Turns whatever goes wrong within into the one form of error answer."""

from monasca_events_api import context
from monasca_events_api import faults
from monasca_events_api.identity import Application

#: Set in the WSGI environment by a controller whose own answer has an error
#: status on purpose, as that of /healthcheck.
ON_PURPOSE = "monasca_events.on_purpose"


class Faults:
    """Catches errors; replaces error answers that are not ours.

    Pecan's 404 and 405 and keystonemiddleware's 401 and 503 have bodies of
    their own, some of them HTML.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    def __call__(self, environ: dict, start_response):
        foreign: list[faults.Fault] = []

        def start(status, headers, exc_info=None):
            code = int(status[:3])
            if code >= 400 and ON_PURPOSE not in environ:
                foreign.append(faults.of_foreign(code, headers))
                return _ignore
            return start_response(status, headers, exc_info)

        try:
            answer = self._app(environ, start)
        except Exception as error:
            return _give(faults.of_error(error), environ, start_response)
        if not foreign:
            return answer
        if hasattr(answer, "close"):
            answer.close()
        return _give(foreign[0], environ, start_response)


def _give(fault: faults.Fault, environ: dict, start_response):
    body = fault.body(environ.get(context.REQUEST_ID, ""))
    start_response(faults.status_line(fault.status), [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))), *fault.headers])
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]


def _ignore(data: bytes) -> None:
    """Swallow what the other wants to say."""
