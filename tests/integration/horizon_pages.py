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

"""Where the panels lead to, as Horizon itself says; run by its own Python.

Reads from its input a JSON object: name → body of a token of Keystone's.
Writes one: name → resource type → where its page is, the page's name among
Horizon's addresses, and the id that the page is given. What Horizon's
middleware and its login do to a request is done by their own functions.
"""

import json
import sys

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib import auth  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.urls import resolve  # noqa: E402
from keystoneauth1 import access  # noqa: E402
from openstack_auth import user as users  # noqa: E402

from monasca_events_dashboard import resources  # noqa: E402

_KEYSTONE = "http://127.0.0.1:9/v3"

#: What is no id, for it would lead to another page.
_WRONG = "a/b"


def request_of(body):
    """Return the request of who logged in with such a token."""
    made = RequestFactory().get("/")
    made.session = {}
    made.user = users.create_user_from_token(
        made, users.Token(access.create(body=body, auth_token="t" * 32)),
        _KEYSTONE, services_region="RegionOne")
    users.set_session_from_user(made, made.user)
    made.session[auth.SESSION_KEY] = made.user.id
    made.session[auth.BACKEND_SESSION_KEY], = settings.AUTHENTICATION_BACKENDS
    return made


def pages(body, ident):
    """Return resource type → [address, its name, ids] of who may see it."""
    found = {}
    request = request_of(body)
    for kind in resources.PAGES:
        url = resources.page_url(request, kind, ident)
        if url:
            there = resolve(url)
            found[kind] = [url, there.view_name, list(there.kwargs.values())]
        if resources.page_url(request, kind, _WRONG):
            raise AssertionError(f"{kind} has a page of {_WRONG}")
    return found


# Panels are known once the addresses are.
resolve("/")
print(json.dumps({name: pages(body, sys.argv[1])
                  for name, body in json.load(sys.stdin).items()}))
