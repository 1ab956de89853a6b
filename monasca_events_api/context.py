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

"""Who is asking: the context of a request.

Made from the headers that the identity's middleware sets, and only where it
says that it confirmed them. The application never reads a header of identity
anywhere else.
"""

from oslo_context import context as oslo_context

from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import IdentityUnavailable

#: Key of our request id in the WSGI environment.
REQUEST_ID = "monasca_events.request_id"

#: Key of the caller's request id there, which spans several services.
GLOBAL_REQUEST_ID = "monasca_events.global_request_id"


def begin(environ: dict) -> None:
    """Make log lines of this thread carry this request's id from now on.

    Also forgets who asked before: a thread serves one tenant after another.
    """
    oslo_context.RequestContext(
        request_id=environ.get(REQUEST_ID),
        global_request_id=environ.get(GLOBAL_REQUEST_ID))


def of_request(environ: dict) -> oslo_context.RequestContext:
    """Return the context of a request that has been authenticated.

    It also becomes the thread's, so that log lines carry the request id.

    :raises IdentityUnavailable: nothing in front of the application confirmed
        who is asking: the deployment lacks its identity middleware
    :raises Forbidden: the token names no project
    """
    if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
        raise IdentityUnavailable(
            "no identity middleware confirmed who is asking",
            code="identity_unconfirmed")
    found = oslo_context.RequestContext.from_environ(
        environ, request_id=environ.get(REQUEST_ID),
        global_request_id=environ.get(GLOBAL_REQUEST_ID))
    if not found.project_id:
        raise Forbidden("the token is not scoped to a project; ask Keystone "
                        "for one that is", code="project_scope_needed")
    return found
