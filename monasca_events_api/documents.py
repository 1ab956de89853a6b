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


"""JSON documents that clients send: reading, merging, preconditions.

What every resource of definitions needs of a request, without knowing any of
them.
"""

from collections.abc import Mapping
import re

from monasca_events_api.forms import JSON
from monasca_events_api.inputs import body as bodies
from monasca_events_api.middleware.body import BODY
from monasca_events_api.middleware.body import CONTENT_TYPE
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import TooLarge

#: RFC 7396.
MERGE_PATCH = "application/merge-patch+json"

#: Nested objects and arrays in a document; a pattern has 21 at most.
MAX_DEPTH = 40

_ETAG = re.compile(r'"([0-9]{1,18})"\Z')


def read_document(environ: Mapping, *more: str) -> dict:
    """Return the request's body, an object.

    :param more: media types that are taken besides ``application/json``
    :raises Rejected: it is no such thing
    """
    media_type = environ[CONTENT_TYPE].partition(";")[0].strip().lower()
    expected = (JSON, *more)
    if not media_type:
        raise Rejected("there is no Content-Type; expected "
                       + " or ".join(expected), code="content_type_missing")
    if media_type not in expected:
        raise Rejected(f"the Content-Type {media_type[:80]!r} is not "
                       f"supported; expected {' or '.join(expected)}",
                       code="unsupported_media_type")
    found = bodies.decode(environ[BODY])
    if type(found) is not dict:
        raise Rejected("the body is not an object", code="invalid_body")
    _check_depth(found)
    if bodies.has_too_long(found):
        raise Rejected("the body has an integer that 64 bits cannot hold",
                       code="invalid_body")
    return found


def read_options(environ: Mapping) -> dict:
    """Return the body of a request that needs none: ``{}`` without one."""
    return read_document(environ) if environ[BODY] else {}


def _check_depth(document: dict) -> None:
    level: list = [document]
    for _ in range(MAX_DEPTH):
        level = [below for one in level for below in
                 (one.values() if type(one) is dict else one)
                 if type(below) in (dict, list)]
        if not level:
            return
    raise TooLarge(f"the body is nested more than {MAX_DEPTH} levels deep",
                   code="too_deep")


def take(document: dict, *names: str) -> list:
    """Return the values under some names, None where there is none.

    :raises Rejected: the document has others
    """
    for name in document:
        if name not in names:
            raise Rejected(f"the body has the unknown field {name[:80]!r}; "
                           f"expected {', '.join(names)}",
                           code="unknown_field", where=name[:80])
    return [document.get(name) for name in names]


def merge(target, patch):
    """Return the target with a merge patch applied, as RFC 7396 says it."""
    if type(patch) is not dict:
        return patch
    merged = dict(target) if type(target) is dict else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def etag(revision: int) -> str:
    """Return the entity tag of a revision."""
    return f'"{revision}"'


class Precondition:
    """The header ``If-Match`` of a request."""

    def __init__(self, header: str | None) -> None:
        self._revisions: frozenset[int] | None = None
        if header is not None and header.strip() != "*":
            # What is no tag of ours matches nothing.
            found = map(_ETAG.match, map(str.strip, header.split(",")))
            self._revisions = frozenset(int(one[1]) for one in found if one)

    def __bool__(self) -> bool:
        """Return whether it asks for a revision."""
        return self._revisions is not None

    def check(self, revision: int) -> None:
        """:raises Conflict: it asks for others"""
        if self._revisions is not None and revision not in self._revisions:
            raise Conflict(
                f"its revision is {revision}, and If-Match names another: "
                "somebody changed it meanwhile", code="revision_mismatch")
