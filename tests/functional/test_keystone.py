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

"""The Keystone identity: auth_token itself in front of the application; B5,
B18, F14.

Keystone's answers come from a stand-in over HTTP, so that it can fail.
"""

import tempfile
import unittest

from monasca_events_api.identity.keystone import KeystoneIdentity
from tests.functional import keystone
from tests.functional import service


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class KeystoneTest(unittest.TestCase):

    def setUp(self):
        self.keystone = keystone.Keystone(service.PROJECT)
        self.addCleanup(self.keystone.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.parts = service.make_parts(folder.name, **{
            "identity__driver": "keystone",
            "keystone_authtoken__auth_type": "password",
            "keystone_authtoken__auth_url": self.keystone.url,
            "keystone_authtoken__www_authenticate_uri": self.keystone.url,
            "keystone_authtoken__username": "events",
            "keystone_authtoken__password": "secret",
            "keystone_authtoken__project_name": "service",
            "keystone_authtoken__user_domain_id": "default",
            "keystone_authtoken__project_domain_id": "default",
            "keystone_authtoken__http_connect_timeout": "1",
            "keystone_authtoken__http_request_max_retries": "0",
        })
        self.addCleanup(self.parts.bus.close)
        self.addCleanup(self.parts.store.close)
        self.assertIsInstance(self.parts.identity, KeystoneIdentity)
        self.addCleanup(self.parts.database.close)
        self.client = service.client(service.make_application(self.parts))

    def get(self, token, path="/v1.0/events", **headers):
        return self.client.get(path, headers={"X-Auth-Token": token,
                                              **headers})

    def test_a_valid_token_is_let_in_with_its_roles(self):
        self.assertEqual(200, self.get("reader").status_code)
        answer = self.client.post(
            "/v1.0/events", headers={"X-Auth-Token": "member"},
            json={"events": [{"event_type": "x"}]})
        self.assertEqual(202, answer.status_code)
        answer = self.client.post(
            "/v1.0/events", headers={"X-Auth-Token": "reader"},
            json={"events": [{"event_type": "x"}]})
        self.assertEqual(403, answer.status_code)

    def test_a_bad_token_is_401_in_our_form(self):
        for token in ("nonsense", ""):
            answer = self.get(token)
            self.assertEqual(401, answer.status_code)
            self.assertEqual("unauthorized",
                             answer.json()["errors"][0]["code"])
            self.assertIn(self.keystone.url,
                          answer.headers["www-authenticate"])
            self.assertRegex(answer.headers["x-openstack-request-id"],
                             "^req-")

    def test_tokens_of_another_scope_are_403(self):
        """S1"""
        for token in ("system", "domain", "unscoped"):
            with self.subTest(token=token):
                answer = self.get(token)
                self.assertEqual(403, answer.status_code, answer.text)

    def test_claims_in_headers_are_not_believed(self):
        """S3"""
        answer = self.get("reader", "/v1.0/events?all_projects=true",
                          **{"X-Roles": "admin", "X-Is-Admin-Project": "true",
                             "X-Identity-Status": "Confirmed"})
        self.assertEqual(403, answer.status_code)

    def test_without_keystone_cached_tokens_work_and_others_are_503(self):
        """F14"""
        self.assertEqual(200, self.get("reader").status_code)
        self.assertTrue(self.parts.identity.health().ok)
        for mode in ("500", "hang"):
            with self.subTest(mode=mode):
                self.keystone.mode = mode
                self.assertEqual(200, self.get("reader").status_code)
                answer = self.get("member-other-" + mode)
                self.assertEqual(503, answer.status_code, answer.text)
                self.assertEqual("identity_unavailable",
                                 answer.json()["errors"][0]["code"])
                self.assertIn("retry-after", answer.headers)
                self.assertFalse(self.parts.identity.health().ok)
                health = self.client.get("/healthcheck")
                self.assertEqual(503, health.status_code)
                self.assertFalse(health.json()["parts"]["identity"]["ok"])
        self.keystone.mode = "ok"
        self.assertEqual(200, self.get("member-another").status_code)
        self.assertTrue(self.parts.identity.health().ok)

    def test_a_validated_token_is_not_asked_for_again(self):
        for _ in range(3):
            self.get("reader")
        self.assertEqual(1, self.keystone.asked)

    def test_a_keystone_that_never_was_there_is_503(self):
        self.keystone.mode = "500"
        answer = self.get("reader")
        self.assertEqual(503, answer.status_code, answer.text)

    def test_an_unreachable_keystone_has_a_time_limit_by_default(self):
        self.parts.conf.clear_override("http_connect_timeout",
                                       group="keystone_authtoken")
        settings = KeystoneIdentity(self.parts.conf)._settings()
        self.assertNotIn("http_connect_timeout", settings)
        bare = service.make_conf(self.parts.folder)
        self.assertEqual(
            5, KeystoneIdentity(bare)._settings()["http_connect_timeout"])
