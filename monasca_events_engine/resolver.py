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

"""The addresses of a webhook's host: looked up once, all of them checked.

What is returned here is connected to and nothing else. A name that changes
its address between the check and the connection, as in DNS rebinding, gains
nothing.
"""

from collections.abc import Callable, Sequence
import queue
import socket
import threading

from monasca_events_common.catalog import targets
from monasca_events_common.catalog.targets import Target
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable

#: As ``socket.getaddrinfo``: called with host, port and ``type``.
Lookup = Callable[..., Sequence[tuple]]


class Resolver:
    """Looks names up. Safe for several threads."""

    def __init__(self, conf, lookup: Lookup = socket.getaddrinfo) -> None:
        """:param conf: the group ``[webhook]``"""
        self._conf = conf
        self._lookup = lookup

    def resolve(self, target: Target, timeout: float) -> tuple[str, ...]:
        """Return the addresses to connect to, in the resolver's order.

        :param timeout: seconds
        :raises Rejected: one of them may not be connected to
        :raises Unavailable: the name has none, or none in time
        """
        if target.address is not None:
            found = [str(target.address)]
        else:
            found = self._look_up(target, timeout)
        for address in found:
            if not targets.permits(address, target, self._conf):
                raise Rejected(
                    f"the name {target.host} has an address that webhooks "
                    "may not go to", code="forbidden_address")
        return tuple(found)

    def _look_up(self, target: Target, timeout: float) -> list[str]:
        # getaddrinfo takes no timeout; what is late is left to itself and
        # ends with the system's resolver.
        answer: queue.SimpleQueue = queue.SimpleQueue()

        def ask() -> None:
            try:
                answer.put(self._lookup(target.host, target.port,
                                        type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answer.put(error)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            found = answer.get(timeout=timeout)
        except queue.Empty:
            raise Unavailable(f"the name {target.host} was not resolved in "
                              "time") from None
        if isinstance(found, Exception) or not found:
            raise Unavailable(f"the name {target.host} cannot be resolved")
        return list(dict.fromkeys(one[4][0] for one in found))
