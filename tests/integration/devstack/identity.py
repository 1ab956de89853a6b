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

"""Finds or makes what devstack's functions do in Keystone; prints its id.

    identity.py project NAME DOMAIN
    identity.py user NAME PASSWORD DOMAIN
    identity.py role NAME
    identity.py grant ROLE USER PROJECT
    identity.py service NAME TYPE DESCRIPTION
    identity.py endpoint TYPE REGION INTERFACE URL

The environment has KEYSTONE_SERVICE_URI, and HARNESS_ADMIN and
HARNESS_PASSWORD of an administrator. devstack has the openstack command do
this, which takes seconds each time.
"""

import json
import os
import sys
import urllib.parse
import urllib.request


class Identity:
    """An administrator's session."""

    def __init__(self) -> None:
        self._url = os.environ["KEYSTONE_SERVICE_URI"]
        self._token = ""
        _body, headers = self._ask("POST", "auth/tokens", {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": os.environ["HARNESS_ADMIN"],
                "password": os.environ["HARNESS_PASSWORD"],
                "domain": {"id": "default"}}}},
            "scope": {"system": {"all": True}}}})
        self._token = headers["X-Subject-Token"]

    def _ask(self, method: str, path: str, body: dict | None = None):
        """Return the answer's body and headers."""
        request = urllib.request.Request(
            f"{self._url}/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Auth-Token": self._token,
                     "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}"), answer.headers

    def find(self, kind: str, **wanted: str) -> dict | None:
        body, _headers = self._ask(
            "GET", f"{kind}s?{urllib.parse.urlencode(wanted)}")
        return next(iter(body[f"{kind}s"]), None)

    def known(self, kind: str, **wanted: str) -> str:
        """Return the id of what must be there."""
        one = self.find(kind, **wanted)
        if one is None:
            raise SystemExit(f"identity.py: no {kind} {wanted}")
        return one["id"]

    def ensure(self, kind: str, wanted: dict[str, str],
               further: dict[str, str]) -> str:
        """Return the id of what is like `wanted`; make it if there is none."""
        one = self.find(kind, **wanted)
        if one is None:
            body, _headers = self._ask("POST", f"{kind}s",
                                       {kind: {**wanted, **further}})
            one = body[kind]
        return one["id"]

    def domain(self, name: str) -> str:
        """Return the id of a domain that is named by name or id."""
        one = self.find("domain", name=name)
        return one["id"] if one else name

    def grant(self, role: str, user: str, project: str) -> str:
        found = self.known("role", name=role)
        self._ask("PUT", f"projects/{self.known('project', name=project)}"
                  f"/users/{self.known('user', name=user)}/roles/{found}")
        return found


def main(verb: str, *words: str) -> int:
    identity = Identity()
    if verb == "project":
        name, domain = words
        print(identity.ensure("project", {
            "name": name, "domain_id": identity.domain(domain)}, {}))
    elif verb == "user":
        name, password, domain = words
        print(identity.ensure("user", {
            "name": name, "domain_id": identity.domain(domain)},
            {"password": password}))
    elif verb == "role":
        print(identity.ensure("role", {"name": words[0]}, {}))
    elif verb == "grant":
        print(identity.grant(*words))
    elif verb == "service":
        name, kind, description = words
        print(identity.ensure("service", {"type": kind}, {
            "name": name, "description": description}))
    elif verb == "endpoint":
        kind, region, interface, url = words
        service = identity.known("service", type=kind)
        print(identity.ensure("endpoint", {
            "service_id": service, "interface": interface,
            "region_id": region}, {"url": url}))
    else:
        raise SystemExit(f"identity.py: no verb {verb}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
