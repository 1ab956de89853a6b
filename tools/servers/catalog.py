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

"""What the servers do that trust the keystone of their state directory.

Options for their configuration files, their entry in its catalog, and
tokens to ask whether they work.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from servers import Failed

_SECONDS = 15.0
_SECTION = "keystone_authtoken"
_CREDENTIALS = ("auth_url", "username", "password", "project_name",
                "user_domain_name", "project_domain_name", "region_name")


def options(keystone: Mapping[str, str], section: str = _SECTION
            ) -> dict[str, str]:
    """Return SECTION.KEY and value of what a client of `keystone` needs.

    The administrator serves as the service's own user.
    """
    found = {key: keystone[key] for key in _CREDENTIALS}
    # Only public endpoints are in the catalog.
    return {f"{section}.{key}": value for key, value in {
        "auth_type": "password", "interface": "public", **found}.items()}


def credentials(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what `options` put among a server's settings."""
    return {key: settings[f"{_SECTION}.{key}"] for key in _CREDENTIALS}


def register(keystone: Mapping[str, str], kind: str, name: str, url: str
             ) -> None:
    """Return once the catalog has `url` as the endpoint of type `kind`.

    `keystone` is what that server tells of itself. Raises Failed if it does
    not let us.
    """
    secret = token(keystone)
    service = _first(keystone, secret, "service", {"type": kind}) or _created(
        keystone, secret, "service", {"type": kind, "name": name})
    place = {"service_id": service["id"], "interface": "public"}
    endpoint = _first(keystone, secret, "endpoint", place)
    if endpoint is None:
        _created(keystone, secret, "endpoint", {
            **place, "region": keystone["region_name"], "url": url})
    elif endpoint["url"] != url:
        _answer(keystone, "PATCH", f'endpoints/{endpoint["id"]}', secret,
                {"endpoint": {"url": url}})


def token_request(keystone: Mapping[str, str]) -> dict[str, Any]:
    """Return the body that asks for the administrator's token."""
    return {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": keystone["username"], "password": keystone["password"],
            "domain": {"name": keystone["user_domain_name"]}}}},
        "scope": {"project": {
            "name": keystone["project_name"],
            "domain": {"name": keystone["project_domain_name"]}}}}}


def token(keystone: Mapping[str, str]) -> str:
    """Return a token of the administrator; raise Failed if there is none."""
    _body, headers = _answer(keystone, "POST", "auth/tokens", None,
                             token_request(keystone))
    return headers["X-Subject-Token"]


def _first(keystone: Mapping[str, str], secret: str, kind: str,
           wanted: Mapping[str, str]) -> dict[str, Any] | None:
    body, _headers = _answer(keystone, "GET", f"{kind}s", secret)
    for found in body[f"{kind}s"]:
        if all(found[key] == value for key, value in wanted.items()):
            return found
    return None


def _created(keystone: Mapping[str, str], secret: str, kind: str,
             content: Mapping[str, str]) -> dict[str, Any]:
    body, _headers = _answer(keystone, "POST", f"{kind}s", secret,
                             {kind: dict(content)})
    return body[kind]


def _answer(keystone: Mapping[str, str], method: str, path: str,
            secret: str | None, body: Mapping[str, Any] | None = None
            ) -> tuple[dict[str, Any], Mapping[str, str]]:
    request = urllib.request.Request(
        f'{keystone["auth_url"]}/{path}', method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json",
                 **({"X-Auth-Token": secret} if secret else {})})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            return json.loads(response.read() or b"{}"), response.headers
    except (OSError, ValueError) as error:
        raise Failed(f"keystone: {method} {path}: {error}") from error
