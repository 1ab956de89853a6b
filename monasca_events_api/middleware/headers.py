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

"""Removes headers of identity that a client sent.

auth_token removes those it knows; this middleware stands in front of every
identity driver and keeps only what a client may rightfully say, so that a new
header of identity is not trusted by accident. WSGI spells ``X-Roles`` and
``X_Roles`` alike, so both go.
"""

from monasca_events_api.identity import Application

_PREFIXES = ("HTTP_X_", "HTTP_OPENSTACK_", "HTTP_KEYSTONE_")

#: What a client may say among those.
_KEPT = frozenset({
    "HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN",
    "HTTP_X_OPENSTACK_REQUEST_ID", "HTTP_X_REQUEST_ID",
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PORT",
})


class Headers:
    """Drops ``X-…`` and ``OpenStack-…`` headers but for a known few."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def __call__(self, environ: dict, start_response):
        for name in [name for name in environ if name.startswith(_PREFIXES)
                     and name not in _KEPT]:
            del environ[name]
        environ.pop("REMOTE_USER", None)
        return self._app(environ, start_response)
