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

"""What tenants define, through the API as it is served."""

import logging

from monasca_events_client import errors
from tests.functional import service
from tests.unit.client.site import SiteTest

TRIGGER = {"kind": "match", "pattern": {"event_type": ["a.b"]}}
HOOK = {"type": "webhook", "address": "https://hooks.example.org/x"}
TRANSFORM = {"pattern": {"event_type": ["a.b"]},
             "operations": [{"drop": ["payload.x"]}]}


class DefinitionsTest(SiteTest):

    def setUp(self):
        super().setUp()
        self.collections = (
            (self.client.triggers, TRIGGER),
            (self.client.notification_methods, HOOK),
            (self.client.transforms, TRANSFORM))

        self.addCleanup(self.empty)

    def empty(self):
        for collection, _ in self.collections:
            for one in list(collection.list()):
                collection.delete(one["id"])

    def test_all_are_made_found_changed_and_deleted_alike(self):
        for collection, content in self.collections:
            with self.subTest(collection.noun):
                made = collection.create({**content, "name": "first"})
                self.assertEqual(made["id"],
                                 collection.find("first")["id"])
                self.assertEqual("first", collection.get(made["id"])["name"])
                self.assertEqual(["first"], [
                    one["name"] for one in collection.list()])
                changed = collection.update(made["id"], {"name": "second"})
                self.assertEqual("second", changed["name"])
                self.assertEqual([], list(collection.list(name="first")))
                collection.delete(made["id"])
                with self.assertRaises(errors.NotFound):
                    collection.get(made["id"])

    def test_a_change_of_what_was_changed_meanwhile_is_refused(self):
        for collection, content in self.collections:
            with self.subTest(collection.noun):
                made = collection.create({**content, "name": "first"})
                collection.update(made["id"], {"name": "mine"},
                                  revision=made["revision"])
                with self.assertRaises(errors.PreconditionFailed) as caught:
                    collection.update(made["id"], {"name": "other"},
                                      revision=made["revision"])
                self.assertEqual("revision_mismatch", caught.exception.code)
                with self.assertRaises(errors.PreconditionFailed):
                    collection.delete(made["id"], revision=made["revision"])

    def test_a_name_that_is_taken_is_a_conflict(self):
        for collection, content in self.collections:
            with self.subTest(collection.noun):
                collection.create({**content, "name": "taken"})
                with self.assertRaises(errors.Conflict) as caught:
                    collection.create({**content, "name": "taken"})
                self.assertEqual("name_taken", caught.exception.code)

    def test_a_mistake_is_named_with_its_place(self):
        with self.assertRaises(errors.BadRequest) as caught:
            self.client.triggers.create({
                "name": "n", "kind": "match",
                "pattern": {"event_type": "a.b"}})
        self.assertEqual("trigger.pattern.event_type",
                         caught.exception.where)

    def test_an_id_or_its_beginning_finds_one_too(self):
        for collection, content in self.collections:
            with self.subTest(collection.noun):
                made = collection.create({**content, "name": "found"})
                for given in (made["id"], made["id"][:8], made["id"][:13]):
                    self.assertEqual(made["id"],
                                     collection.find(given)["id"])
                for given in ("nobody", "0000", "é",
                              "00000000-0000-4000-8000-000000000000"):
                    with self.assertRaises(errors.NotFound):
                        collection.find(given)

    def test_a_name_goes_before_the_beginning_of_an_id(self):
        first = self.client.triggers.create({**TRIGGER, "name": "first"})
        named = self.client.triggers.create({
            **TRIGGER, "name": first["id"][:8]})
        self.assertEqual(named["id"], self.client.triggers.find(
            first["id"][:8])["id"])

    def test_a_name_in_several_projects_is_refused(self):
        for client in (self.client, self.foreign):
            made = client.triggers.create({**TRIGGER, "name": "same"})
        self.addCleanup(self.foreign.triggers.delete, made["id"])
        with self.assertRaises(errors.Conflict) as caught:
            self.admin.triggers.find("same", all_projects=True)
        self.assertEqual("ambiguous", caught.exception.code)

    def test_each_tenant_has_its_own(self):
        made = self.client.triggers.create({**TRIGGER, "name": "mine"})
        with self.assertRaises(errors.NotFound):
            self.foreign.triggers.get(made["id"])
        with self.assertRaises(errors.NotFound):
            self.foreign.triggers.find("mine")
        theirs = self.admin.triggers.find("mine", project_id=service.PROJECT)
        self.assertEqual(made["id"], theirs["id"])
        self.assertEqual([made["id"]], [
            one["id"] for one in self.admin.triggers.list(all_projects=True)])

    def test_a_method_in_use_is_deleted_only_by_force(self):
        methods = self.client.notification_methods
        method = methods.create({**HOOK, "name": "hook"})
        trigger = self.client.triggers.create({
            **TRIGGER, "name": "t", "notify": {"fired": [method["id"]]}})
        with self.assertRaises(errors.Conflict) as caught:
            methods.delete(method["id"])
        self.assertEqual([trigger["id"]],
                         caught.exception.details["triggers"])
        methods.delete(method["id"], force=True)
        self.assertEqual([], self.client.triggers.get(
            trigger["id"])["notify"].get("fired", []))

    def test_a_secret_is_shown_once_and_never_logged(self):
        """S7"""
        methods = self.client.notification_methods
        with self.assertLogs(level=logging.DEBUG) as logs:
            made = methods.create({**HOOK, "name": "hook"})
            rotated = methods.rotate(made["id"], keep_seconds=60)
            self.client.triggers.create({**TRIGGER, "name": "logged"})
        self.assertNotIn("secret", methods.get(made["id"]))
        self.assertNotEqual(made["secret"], rotated["secret"])
        self.assertIn("logged", "".join(logs.output))
        for one in (made, rotated):
            self.assertRegex(one["secret"], "^whsec_")
            self.assertNotIn(one["secret"], "".join(logs.output))

    def test_transforms_are_tried_on_an_event(self):
        event = {"event_type": "a.b", "payload": {"x": 1}}
        found = self.client.transforms.test(transform=TRANSFORM, event=event)
        self.assertEqual(("changed", {}), (
            found["outcome"], found["events"][0]["payload"]))
        self.assertEqual("unchanged", self.client.transforms.test(
            event=event)["outcome"])
        made = self.client.transforms.create({**TRANSFORM, "name": "t"})
        for which in ({"transform_id": made["id"]}, {}):
            self.assertEqual("changed", self.client.transforms.test(
                event=event, **which)["outcome"])

    def test_what_a_transform_said_before_is_told(self):
        made = self.client.transforms.create({**TRANSFORM, "name": "said"})
        self.client.transforms.update(made["id"], {"position": 7})
        found = self.client.transforms.versions(made["id"])
        self.assertEqual([7, 100], [one["definition"]["position"]
                                    for one in found])
        self.assertEqual(made["revision"], found[-1]["revision"])
        with self.assertRaises(errors.NotFound):
            self.client.transforms.versions("none")

    def test_a_test_of_a_method_is_a_delivery(self):
        methods = self.client.notification_methods
        made = methods.create({**HOOK, "name": "hook"})
        sent = methods.test(made["id"])
        delivery, = methods.deliveries(made["id"])
        self.assertEqual(sent["delivery_id"], delivery["delivery_id"])
        self.assertEqual(sent["firing_id"], delivery["firing_id"])
