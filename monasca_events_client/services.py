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

"""``/v1.0/services``: how the services stand, for operators."""

from typing import Any

from monasca_events_client.transport import Transport
from monasca_events_client.transport import quote

_PATH = "/v1.0/services"


class Services:
    """The services, as the bus and the dead letters know them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> dict[str, Any]:
        """Return ``{"services": […], "parts": {…}, "errors": {…}}``.

        Each service has ``name``, ``state`` (``up``, ``down``, ``stopped``,
        ``unknown``), ``members``, ``lag``, ``breaker`` and ``dead_letters``;
        ``errors`` says what could not be asked.
        """
        return self._transport.json("GET", _PATH)

    def get(self, name: str) -> dict[str, Any]:
        """Return one."""
        return self._transport.json("GET", f"{_PATH}/{quote(name)}")

    def resume(self, name: str) -> None:
        """Let one go on whose breaker tripped.

        :raises Conflict: it does not stand still
        """
        self._transport.request("POST", f"{_PATH}/{quote(name)}/resume",
                                json={})
