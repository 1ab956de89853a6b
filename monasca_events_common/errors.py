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

"""The errors of monasca-events, one tree, named for who must act.

::

    EventsError
    ├── Rejected         the sender: the same request can never succeed
    │   └── TooLarge     … because it exceeds a limit
    ├── NotFound         the sender: there is no such thing, or it is another's
    ├── Conflict         the sender: it changed meanwhile
    ├── Forbidden        the sender: the policy says no
    ├── Unavailable      time: the same request may succeed later
    │   ├── BusUnavailable
    │   ├── StoreUnavailable
    │   └── IdentityUnavailable
    └── Misconfigured    the operator: the process must not start

HTTP statuses are none of this module's business; the API's fault table knows
them. ``code`` is a stable word for programs, ``str(error)`` a sentence for
people.
"""


class EventsError(Exception):
    """Something went wrong in a way that this project knows."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None,
                 where: str | None = None) -> None:
        """:param message: what is wrong, where, and what was expected
        :param code: a stable word for programs; frozen once shipped
        :param where: path of the offending field, as ``events[3].payload``
        """
        super().__init__(message)
        if code is not None:
            self.code = code
        self.where = where


class Rejected(EventsError):
    """The sender's data is wrong and will be wrong the next time too."""

    code = "invalid"


class TooLarge(Rejected):
    """The sender's data exceeds a limit that the message names."""

    code = "too_large"


class NotFound(EventsError):
    """There is no such thing for this project."""

    code = "not_found"


class Conflict(EventsError):
    """The thing changed since the sender looked at it."""

    code = "conflict"


class Forbidden(EventsError):
    """The policy does not let this caller do that."""

    code = "forbidden"


class Unavailable(EventsError):
    """A part is down or full; the same call may succeed later."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: float = 5.0,
                 code: str | None = None, where: str | None = None) -> None:
        """:param retry_after: seconds after which trying again makes sense"""
        super().__init__(message, code=code, where=where)
        self.retry_after = retry_after


class BusUnavailable(Unavailable):
    code = "bus_unavailable"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class IdentityUnavailable(Unavailable):
    code = "identity_unavailable"


class Misconfigured(EventsError):
    """The operator's configuration cannot work; one line says why."""

    code = "misconfigured"
