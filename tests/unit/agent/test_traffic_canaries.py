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


"""Secrets are planted everywhere, and found again (S14, S14b)."""

import os
import tempfile
import unittest

import orjson

from monasca_events_agent.traffic import canaries
from monasca_events_agent.traffic import lifecycles


class TestCanaries(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        options = lifecycles.Options(count=6000, canaries=True)
        cls.found = list(lifecycles.stream(1, 3, options))

    def test_there_are_at_least_forty_places(self):
        self.assertGreaterEqual(len({place.name for place in
                                     canaries.PLACES}), 40)

    def test_every_place_gets_one(self):
        planted = {one.canary[1] for one in self.found if one.canary}
        self.assertEqual({place.name for place in canaries.PLACES}, planted)

    def test_a_notification_has_the_secret_that_it_says_and_no_other(self):
        for one in self.found:
            words = canaries.words(orjson.dumps(one.message()))
            self.assertEqual({one.canary[0]} if one.canary else set(), words)

    def test_beside_each_secret_stands_a_beacon_with_its_number(self):
        for one in self.found:
            words = canaries.words(orjson.dumps(one.message()),
                                   canaries.BEACON)
            self.assertEqual(
                {one.canary[0].replace("CANARY", "BEACON")}
                if one.canary else set(), words)

    def test_the_tenant_and_the_ids_stay_as_they_were(self):
        options = lifecycles.Options(count=6000)
        for bare, one in zip(lifecycles.stream(1, 3, options), self.found,
                             strict=True):
            self.assertEqual((bare.message_id, bare.project_id,
                              bare.event_type),
                             (one.message_id, one.project_id,
                              one.event_type))

    def test_versioned_objects_carry_them_among_their_fields(self):
        place = next(place for place in canaries.PLACES
                     if place.name == "payload.driver_info.redfish_password")
        one = next(one for one in self.found if one.service == "ironic")
        planted = place.plant(one, "CANARY-7")
        self.assertEqual("CANARY-7", planted.payload["ironic_object.data"][
            "driver_info"]["redfish_password"])

    def test_hits_are_found_in_files_and_directories(self):
        with tempfile.TemporaryDirectory() as directory:
            below = os.path.join(directory, "below")
            os.mkdir(below)
            for name, text in (("a", b"\0CANARY-12\0CANARY-3"), ("b", b""),
                               ("c", b"CANARY"), ("d", b"beacon-5"),
                               ("e", b"canary-4")):
                with open(os.path.join(below, name), "wb") as file:
                    file.write(text)
            self.assertEqual(
                [(os.path.join(below, "a"), "CANARY-12"),
                 (os.path.join(below, "a"), "CANARY-3"),
                 (os.path.join(below, "e"), "CANARY-4")],
                canaries.hits([directory]))
            self.assertEqual(
                [(os.path.join(below, "d"), "BEACON-5")],
                canaries.hits([directory, "gone"], canaries.BEACON))

    def test_a_word_is_found_whole_wherever_the_file_is_cut(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "a")
            for before in range(canaries._CHUNK - 12, canaries._CHUNK + 2):
                with self.subTest(before=before):
                    with open(path, "wb") as file:
                        file.write(b"7" * before + b"CANARY-123456.")
                    self.assertEqual([(path, "CANARY-123456")],
                                     canaries.hits([path]))

    def test_holes_are_left_out_and_what_is_behind_them_is_found(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "a")
            with open(path, "wb") as file:
                file.write(b"CANARY-1")
                file.seek(1 << 40)
                file.write(b"CANARY-2")
                file.truncate(1 << 41)
            self.assertEqual([(path, "CANARY-1"), (path, "CANARY-2")],
                             canaries.hits([directory]))
