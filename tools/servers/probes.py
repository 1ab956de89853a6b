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

"""Ask a server one thing over its own protocol, on loopback only."""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

from servers import HOST, NotReady


def http_answer(port: int, method: str, path: str,
                body: Mapping[str, Any] | None = None, timeout: float = 5.0
                ) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of one request; raise NotReady if none came."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request(
            method, path, body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotReady(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


def exactly(peer: socket.socket, size: int) -> bytes:
    """Read `size` bytes; raise NotReady if the peer hangs up before."""
    data = b""
    while len(data) < size:
        chunk = peer.recv(size - len(data))
        if not chunk:
            raise NotReady("the server closed the connection")
        data += chunk
    return data


def connected(port: int, timeout: float = 3.0) -> socket.socket:
    """Open a connection; raises OSError while nobody listens."""
    return socket.create_connection((HOST, port), timeout=timeout)
