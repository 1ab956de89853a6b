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

"""What can go wrong between a program and the API, one class for each kind.

::

    ClientError
    ├── ApiError                  the API, or what stands before it, said no
    │   ├── BadRequest            400
    │   ├── Unauthorized          401; also the identity service's
    │   ├── Forbidden             403
    │   ├── NotFound              404, also for what is another project's
    │   ├── MethodNotAllowed      405
    │   ├── NotAcceptable         406
    │   ├── Conflict              409
    │   ├── PreconditionFailed    412
    │   ├── TooLarge              413
    │   ├── UnsupportedMediaType  415
    │   ├── Unprocessable         422
    │   ├── TooManyRequests       429
    │   └── ServerError           500 and more
    │       └── ServiceUnavailable  503
    ├── Unreachable               no answer came; what was sent may be done
    ├── NoEndpoint                the catalog has no such service
    └── NoCredentials             there is nothing to authenticate with

All have ``code``, a stable word for programs, and ``message``, a sentence.
"""

from collections.abc import Mapping, Sequence
import email.utils
import http
import time
from typing import Any

import requests

#: Characters of an answer in no form of ours that a message repeats.
_SHOWN = 200


class ClientError(Exception):
    """What every error here is.

    :ivar message: what is wrong and what was expected
    :ivar code: a word for programs; the API's own do not change
    :ivar where: path of the offending field, as ``trigger.pattern``, or None
    :ivar request_id: of the answer, for the operator's log, or None
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None,
                 where: str | None = None, request_id: str | None = None
                 ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.where = where
        self.request_id = request_id


class Unreachable(ClientError):
    """No answer came.

    :ivar retriable: whether trying again may help; a wrong certificate stays
        wrong
    """

    code = "unreachable"

    def __init__(self, message: str, *, retriable: bool = True) -> None:
        super().__init__(message)
        self.retriable = retriable


class NoEndpoint(ClientError):
    """The catalog does not say where the service is."""

    code = "no_endpoint"


class NoCredentials(ClientError):
    """There is nothing to authenticate with, or it cannot be used."""

    code = "no_credentials"


class ApiError(ClientError):
    """An answer that says that nothing was done, or not all of it.

    :ivar status: of HTTP
    :ivar rejections: of a POST of events, ``index``, ``code`` and ``message``
        of each one
    :ivar details: what else the answer holds, as ``triggers`` of ``in_use``
    :ivar retry_after: seconds after which trying again makes sense, or None
    """

    def __init__(self, message: str, *, status: int,
                 rejections: Sequence[Mapping] = (),
                 details: Mapping[str, Any] | None = None,
                 retry_after: float | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.status = status
        self.rejections = list(rejections)
        self.details = dict(details or {})
        self.retry_after = retry_after


class BadRequest(ApiError):
    code = "bad_request"


class Unauthorized(ApiError):
    code = "unauthorized"


class Forbidden(ApiError):
    code = "forbidden"


class NotFound(ApiError):
    code = "not_found"


class MethodNotAllowed(ApiError):
    code = "method_not_allowed"


class NotAcceptable(ApiError):
    code = "not_acceptable"


class Conflict(ApiError):
    code = "conflict"


class PreconditionFailed(ApiError):
    code = "revision_mismatch"


class TooLarge(ApiError):
    code = "too_large"


class UnsupportedMediaType(ApiError):
    code = "unsupported_media_type"


class Unprocessable(ApiError):
    code = "unprocessable"


class TooManyRequests(ApiError):
    code = "too_many_requests"


class ServerError(ApiError):
    code = "internal_error"


class ServiceUnavailable(ServerError):
    code = "unavailable"


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound,
    405: MethodNotAllowed, 406: NotAcceptable, 409: Conflict,
    412: PreconditionFailed, 413: TooLarge, 415: UnsupportedMediaType,
    422: Unprocessable, 429: TooManyRequests, 503: ServiceUnavailable}


def of_response(response: requests.Response) -> ApiError:
    """Return the error that an answer tells of.

    Also of answers in no form of ours: a proxy may have given them.
    """
    status = response.status_code
    cls = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    content = _content(response)
    first = _first(content.get("errors"))
    message = content.get("message")
    if not isinstance(message, str) or not message:
        message = _foreign(response)
    return cls(
        message, status=status, code=_text(first.get("code")),
        where=_text(first.get("where")),
        request_id=_text(first.get("request_id"))
        or response.headers.get("x-openstack-request-id"),
        rejections=[one for one in _sequence(content.get("rejected"))
                    if isinstance(one, Mapping)],
        details={key: value for key, value in content.items()
                 if key not in ("message", "errors", "rejected")},
        retry_after=retry_after(response))


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds that the header ``Retry-After`` asks for."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def _content(response: requests.Response) -> Mapping:
    try:
        found = response.json()
    except (ValueError, requests.RequestException):
        return {}
    return found if isinstance(found, Mapping) else {}


def _foreign(response: requests.Response) -> str:
    """Return a sentence of an answer that is not in the API's form."""
    try:
        phrase = http.HTTPStatus(response.status_code).phrase
    except ValueError:
        phrase = response.reason or "an unknown status"
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    text = " ".join(response.text.split()) if kind == "text/plain" else ""
    return f"{response.status_code} {phrase}" + (
        f": {text[:_SHOWN]}" if text else "")


def _first(errors: Any) -> Mapping:
    found = _sequence(errors)[:1]
    return found[0] if found and isinstance(found[0], Mapping) else {}


def _sequence(value: Any) -> list:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
