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
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Failed, NotReady
from servers import tasks


def http_answer(port: int, method: str, path: str,
                body: Mapping[str, Any] | None = None, timeout: float = 5.0,
                headers: Mapping[str, str] | None = None
                ) -> tuple[int, Any]:
    """Return status and JSON of one request; raise NotReady if none came."""
    status, text = http_text(
        port, path, method, None if body is None else json.dumps(body),
        timeout, {"Content-Type": "application/json", **(headers or {})})
    try:
        return status, json.loads(text or "{}")
    except ValueError as error:
        raise NotReady(f"{method} {path}: {error!r}") from error


def http_text(port: int, path: str, method: str = "GET",
              body: str | None = None, timeout: float = 5.0,
              headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Return status and body of one request; raise NotReady if none came."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


def printed(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return what a client program prints; raise NotReady if it fails."""
    try:
        return tasks.run(argv[0], argv, env=env, seconds=10.0)
    except Failed as error:
        raise NotReady(str(error)) from error


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
