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

"""What every resource's controller needs: methods, parameters, answers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
import datetime
import re
from urllib import parse

from oslo_config import cfg
import orjson
import pecan
import webob

from monasca_events_api import context
from monasca_events_api import filters
from monasca_events_api import ingest
from monasca_events_api import policies
from monasca_events_api.forms import JSON
from monasca_events_api.history import History
from monasca_events_api.identity import Identity
from monasca_events_api.live.follower import Follower
from monasca_events_api.policies import events as rules
from monasca_events_api.timeline.gatherer import Gatherer
from monasca_events_common import store as stores
from monasca_events_common.bus import Bus
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog.jobs import Jobs
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import Database
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.errors import NotFound


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What the controllers work with."""

    conf: cfg.ConfigOpts
    bus: Bus
    store: stores.Store
    identity: Identity
    database: Database
    catalog: Catalog
    secrets: Secrets
    history: History
    jobs: Jobs
    dead_letters: DeadLetters
    live: Follower
    timeline: Gatherer
    clock: Callable[[], datetime.datetime]
    policy: policies.Policy
    project_id: re.Pattern


def methods():
    """Return a controller to which ``when`` adds methods.

    A method that was not added is answered 405, OPTIONS with what there is.
    """
    @pecan.expose(generic=True, content_type=JSON)
    def index(self, req, resp):
        if req.method == "OPTIONS":
            return webob.Response(status=204, headerlist=[
                ("Allow", ", ".join(sorted(
                    index._pecan["allowed_methods"])))])
        pecan.abort(405)  # Pecan adds Allow
    index._pecan["allowed_methods"].append("OPTIONS")
    return index


def reads(index, *media_types: str):
    """Return a decorator that adds GET and HEAD, giving these media types."""
    def decorate(function):
        for media_type in reversed(media_types or (JSON,)):
            index.when("GET", content_type=media_type)(function)
        index._pecan["generic_handlers"]["HEAD"] = function
        allowed = index._pecan["allowed_methods"]
        allowed[:] = sorted({*allowed, "HEAD"})
        return function
    return decorate


def answer(content, status: int = 200, media_type: str = JSON,
           headers: Mapping[str, str] | None = None) -> webob.Response:
    """Return an answer.

    :param content: bytes as they are, anything else as JSON
    """
    body = content if type(content) is bytes else orjson.dumps(content)
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return webob.Response(
        body=body, status=status,
        headerlist=[("Content-Type", media_type + charset),
                    *(headers or {}).items()])


def empty(status: int = 204) -> webob.Response:
    """Return an answer without a body."""
    return webob.Response(status=status, headerlist=[])


def check_id(text: str) -> None:
    """Raise NotFound where a part of an address can be nobody's id.

    Databases differ in what they do with a NUL, and all of them in comparing
    what is not ASCII.
    """
    if not is_id(text):
        raise NotFound("There is nothing at this address.")


def is_id(text) -> bool:
    """Return whether this may be the id of something, or a name of ours."""
    return type(text) is str and 0 < len(text) <= 64 and text.isascii() \
        and text.isprintable()


def caller(parts: Parts, req, rule: str):
    """Return who asks, of a request that has no parameters.

    :raises Forbidden: the rule does not allow it in the token's project
    :raises Rejected: there are parameters
    """
    who = context.of_request(req.environ)
    parts.policy.authorize(who, rule)
    filters.refuse(req.query_string)
    return who


def scope(parts: Parts, req, rule: str, asked: filters.Request,
          all_projects: str = rules.ALL_PROJECTS):
    """Return the project to read: an id, or ``ALL``.

    :param all_projects: the rule for reading others'
    :raises Forbidden: the caller may not
    """
    who = context.of_request(req.environ)
    parts.policy.authorize(who, rule)
    if asked.all_projects:
        parts.policy.authorize(who, all_projects)
        return stores.ALL
    project_id = asked.project_id
    if project_id is None or project_id == who.project_id:
        return who.project_id
    ingest.check_project(project_id, parts.project_id)
    parts.policy.authorize(who, all_projects, {"project_id": project_id})
    return project_id


def links(parts: Parts, req, path: str, marker: str | None) -> list[dict]:
    """Return the links of a page: itself, and the next one if there is one.

    :param path: of the list, below ``/v1.0``
    """
    url = f"{base_url(parts, req)}/v1.0/{path}"
    given = filters.split(req.query_string)
    found = [{"rel": "self", "href": _href(url, given)}]
    if marker is not None:
        given = [(name, value) for name, value in given if name != "marker"]
        found.append({"rel": "next", "href": _href(
            url, [*given, ("marker", marker)])})
    return found


def link_header(found: Sequence[Mapping]) -> str:
    """Return the header ``Link`` of some links."""
    return ", ".join(f'<{one["href"]}>; rel="{one["rel"]}"' for one in found)


def _href(url: str, given: Sequence[tuple[str, str]]) -> str:
    return f"{url}?{parse.urlencode(given)}" if given else url


def base_url(parts: Parts, req) -> str:
    """Return the URL of the API's root as clients know it."""
    return (parts.conf.api.public_endpoint or req.application_url).rstrip("/")
