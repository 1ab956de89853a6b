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

"""What stands between a request and auth_token."""

import unittest

from oslo_config import cfg

from monasca_events_api.identity.keystone import KeystoneIdentity


class TestKeystoneIdentity(unittest.TestCase):

    def test_a_service_token_never_reaches_auth_token(self):
        # With one, auth_token leaves out the access rules of an application
        # credential, and a sender may use one token as both.
        seen = {}

        def protocol(environ, start_response):
            seen.update(environ)
            start_response("200 OK", [])
            return []
        KeystoneIdentity(cfg.ConfigOpts())._call(
            protocol, {"HTTP_X_AUTH_TOKEN": "t", "HTTP_X_SERVICE_TOKEN": "t"},
            lambda status, headers, exc_info=None: None)
        self.assertEqual({"HTTP_X_AUTH_TOKEN": "t"}, seen)
