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

"""The fault table: the only place that knows HTTP statuses of errors.

Everything that goes wrong inside becomes one form of answer here:
``{"message", "errors": [{code, status, title, detail, request_id}]}``, always
``application/json``. openstacksdk shows its users ``message`` only; programs
read ``errors[].code``, which is frozen once shipped.
"""

from collections.abc import Mapping
import dataclasses
import http
import logging
import math

import orjson

from monasca_events_common import errors

LOG = logging.getLogger(__name__)

#: Most specific class first.
_BY_CLASS = (
    (errors.TooLarge, 413),
    (errors.Rejected, 400),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Forbidden, 403),
    (errors.Unavailable, 503),
)

#: Codes whose status differs from their class's.
_BY_CODE = {
    "unsupported_media_type": 415,
    "unsupported_encoding": 415,
    "no_events": 422,
    "nothing_accepted": 422,
    "invalid_marker": 400,
    "revision_mismatch": 412,
}

#: What the answers of others (Pecan, keystonemiddleware) mean, by status.
_FOREIGN = {
    400: ("bad_request", "The request is malformed."),
    401: ("unauthorized", "A valid token is needed in X-Auth-Token."),
    403: ("forbidden", "The policy does not allow this."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know that method; "
                                "the header Allow names those it knows."),
    406: ("not_acceptable", "None of the media types in Accept can be "
                            "given."),
    413: ("too_large", "The request is too large."),
    431: ("headers_too_large", "The request's headers are too large."),
    501: ("not_implemented", "The transfer encoding is not supported."),
    503: ("identity_unavailable", "The identity service cannot answer now."),
}

#: Headers of others' answers that mean something to a client.
_KEPT = {"allow", "www-authenticate", "retry-after"}

#: Seconds to wait where whoever refused did not say.
_RETRY_AFTER = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One answer that says what went wrong.

    :ivar rejected: what became of each event, where the request had several
    :ivar where: path of what is wrong in what was sent
    :ivar more: further keys of the answer
    """

    status: int
    code: str
    detail: str
    headers: tuple[tuple[str, str], ...] = ()
    rejected: tuple[dict, ...] = ()
    where: str | None = None
    more: Mapping = dataclasses.field(default_factory=dict)

    def body(self, request_id: str) -> bytes:
        """Return the JSON of the answer."""
        content = {"message": self.detail, "errors": [
            {"code": self.code, "status": self.status,
             "title": http.HTTPStatus(self.status).phrase,
             "detail": self.detail, "request_id": request_id}], **self.more}
        if self.where is not None:
            content["errors"][0]["where"] = self.where
        if self.rejected:
            content["rejected"] = self.rejected
        return orjson.dumps(content)


def status_of(error: errors.EventsError) -> int:
    """Return the HTTP status of an error."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((status for cls, status in _BY_CLASS
                 if isinstance(error, cls)), 500)


def of_error(error: Exception) -> Fault:
    """Return the answer to whatever was raised."""
    if not isinstance(error, errors.EventsError):
        # A bug of ours. What it says may hold data of the tenant or the
        # deployment, so it goes to the log and not into the answer.
        LOG.error("request failed", exc_info=error)
        return Fault(500, "internal_error", "The request failed by a fault "
                     "of the service; the operator's log has the request id.")
    headers = ()
    if isinstance(error, errors.Unavailable):
        wait = max(1, math.ceil(error.retry_after))
        headers = (("Retry-After", str(wait)),)
    return Fault(status_of(error), error.code, str(error), headers,
                 tuple(getattr(error, "rejected", ())), error.where,
                 getattr(error, "more", {}))


def of_foreign(status: int, headers: list[tuple[str, str]]) -> Fault:
    """Return our answer in place of another's error answer."""
    kept = [(name, value) for name, value in headers
            if name.lower() in _KEPT]
    if status == 503 and not any(n.lower() == "retry-after" for n, _ in kept):
        kept.append(("Retry-After", str(_RETRY_AFTER)))
    code, detail = _FOREIGN.get(status, ("error", "The request failed."))
    return Fault(status, code, detail, tuple(kept))


def status_line(status: int) -> str:
    """Return the status as WSGI wants it."""
    return f"{status} {http.HTTPStatus(status).phrase}"
