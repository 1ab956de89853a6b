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

from monasca_events_common import event as events
from monasca_events_common.store import Document
from tests.functional import service
from tests.unit.client.site import SiteTest
from tests.unit.common.rules import samples


class TimelineTest(SiteTest):

    def setUp(self):
        super().setUp()
        made = [samples.event(
            f"compute.instance.create.{edge}", number,
            project_id=service.PROJECT, resource_id="vm-1",
            request_id="req-1") for number, edge in enumerate(
                ("start", "end"))]
        made.append(samples.event(
            "port.create.end", 2, project_id=service.PROJECT,
            resource_id="port-1", request_id="req-1"))
        self.site.service.parts.store.write([Document(
            one["project_id"], one["event_id"], one["event_type"],
            one["timestamp"], record.value, record.headers["index"])
            for one, record in ((one, events.record(one)) for one in made)])

    def test_a_resource_and_a_request_have_one(self):
        """T4, B38"""
        client = self.site.client()
        found = client.timeline(resource_id="vm-1")
        self.assertIn(("compute.instance.create", "complete"), [
            (one["name"], one["state"]) for one in found["spans"]])
        self.assertEqual([False, False, True],
                         [one["related"] for one in found["events"]])
        self.assertEqual(3, len(client.timeline(
            request_id="req-1")["events"]))

    def test_what_only_the_requests_have_in_common_may_stay_out(self):
        found = self.site.client().timeline(resource_id="vm-1", related=False)
        self.assertEqual(2, len(found["events"]))

    def test_it_is_of_one_thing(self):
        for given in ({}, {"resource_id": "a", "request_id": "b"}):
            with self.assertRaisesRegex(ValueError, "one of them"):
                self.site.client().timeline(**given)
