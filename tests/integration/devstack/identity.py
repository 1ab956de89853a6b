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

import os
import sys

import requests


class Identity:
    """An administrator's session."""

    def __init__(self) -> None:
        self._url = os.environ["KEYSTONE_SERVICE_URI"]
        self._session = requests.Session()
        domain = {"id": "default"}
        answer = self._session.post(f"{self._url}/auth/tokens", json={
            "auth": {"identity": {"methods": ["password"], "password": {
                "user": {"name": os.environ["HARNESS_ADMIN"], "domain": domain,
                         "password": os.environ["HARNESS_PASSWORD"]}}},
                     "scope": {"system": {"all": True}}}}, timeout=30)
        answer.raise_for_status()
        self._session.headers["X-Auth-Token"] = \
            answer.headers["X-Subject-Token"]

    def find(self, kind: str, **wanted: str) -> dict | None:
        answer = self._session.get(f"{self._url}/{kind}s", params=wanted,
                                   timeout=30)
        answer.raise_for_status()
        return next(iter(answer.json()[f"{kind}s"]), None)

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
            answer = self._session.post(
                f"{self._url}/{kind}s", json={kind: {**wanted, **further}},
                timeout=30)
            answer.raise_for_status()
            one = answer.json()[kind]
        return one["id"]

    def domain(self, name: str) -> str:
        """Return the id of a domain that is named by name or id."""
        one = self.find("domain", name=name)
        return one["id"] if one else name

    def grant(self, role: str, user: str, project: str) -> str:
        found = self.known("role", name=role)
        self._session.put(
            f"{self._url}/projects/{self.known('project', name=project)}"
            f"/users/{self.known('user', name=user)}/roles/{found}",
            timeout=30).raise_for_status()
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
