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

from monasca_events_client import errors
from tests.unit.client.site import SiteTest


class ServicesTest(SiteTest):

    def test_operators_see_who_consumes_the_bus_and_how_far_behind(self):
        """D9"""
        client = self.site.client("ADMIN").services
        found = {one["name"]: one for one in client.list()["services"]}
        self.assertEqual("persister", found["persister"]["group"])
        self.assertIn("records", found["persister"]["lag"])
        self.assertEqual("persister", client.get("persister")["name"])

    def test_what_does_not_stand_still_cannot_go_on(self):
        with self.assertRaises(errors.Conflict) as raised:
            self.site.client("ADMIN").services.resume("persister")
        self.assertEqual("not_tripped", raised.exception.code)

    def test_tenants_do_not_see_them(self):
        with self.assertRaises(errors.Forbidden):
            self.site.client().services.list()
