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

"""Finding the service: Keystone's catalog, and the embedded start's file."""

import pathlib
import tempfile

from keystoneauth1 import access
from keystoneauth1 import fixture
from keystoneauth1 import session as sessions
from keystoneauth1.identity.access import AccessInfoPlugin
from openstack import config

from monasca_events_api.identity import clouds
from monasca_events_client import Client
from monasca_events_client import errors
from tests.functional import service
from tests.unit.client.site import SiteTest


class CatalogTest(SiteTest):

    def session(self, *endpoints: tuple[str, str, str]) -> sessions.Session:
        """Return the session of a token whose catalog has endpoints.

        :param endpoints: type of the service, interface, region
        """
        token = fixture.V3Token(project_id=service.PROJECT)
        for kind, interface, region in endpoints:
            token.add_service(kind).add_endpoint(interface, self.site.url,
                                                 region=region)
        return sessions.Session(auth=AccessInfoPlugin(access.create(
            body=token, auth_token=service.ACCOUNTS["MEMBER"].token)))

    def test_the_service_is_found_by_its_type(self):
        """D17"""
        for kind in ("event", "events"):
            with self.subTest(kind=kind):
                client = Client(self.session(("compute", "public", "one"),
                                             (kind, "public", "one")))
                self.assertEqual(self.site.url, client.endpoint)
                self.assertEqual([], list(client.events.list(user_id="no")))

    def test_region_and_interface_choose(self):
        session = self.session(("event", "internal", "two"))
        self.assertEqual(self.site.url, Client(
            session, "two", "internal").endpoint)
        for region, interface in (("one", "internal"), ("two", "public")):
            with self.subTest(region=region, interface=interface), \
                    self.assertRaises(errors.NoEndpoint) as caught:
                list(Client(session, region, interface).events.list())
            self.assertIn(region, caught.exception.message)
            self.assertIn(interface, caught.exception.message)

    def test_the_file_of_the_embedded_start_is_all_that_is_needed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "clouds.yaml"
            clouds.write(str(path), self.site.url, [
                (one.name, one.token, one.project_id)
                for one in service.ACCOUNTS.values()])
            found = config.OpenStackConfig(
                config_files=[str(path)], secure_files=[],
                load_envvars=False)
            for name, count in (("member", 1), ("foreign_member", 0)):
                client = Client(found.get_one(name).get_session())
                if count:
                    client.events.post([{"event_type": "a.b"}])
                self.stored(count, client)
                self.assertEqual(count, len(list(client.events.list())))
