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

"""A route that nobody put into the table of routes and roles is found,
wherever it was added (S1, B18)."""

import unittest
from unittest import mock

import pecan

from monasca_events_api.controllers import jobs
from monasca_events_api.controllers import resource
from monasca_events_api.controllers import root
from tests.functional import routes
from tests.functional import service
from tests.functional import test_matrix


class Details:
    """What a novelty has below it."""

    index = resource.methods()

    @resource.reads(index)
    def show(self, req, resp):
        """Nobody comes here."""


class Novelty:
    """One of them."""

    index = resource.methods()

    def __init__(self) -> None:
        self.details = Details()

    @resource.reads(index)
    def show(self, req, resp):
        """Nobody comes here."""

    @index.when("DELETE")
    def delete(self, req, resp):
        """Nor here."""


class Novelties:
    """A resource that somebody has added without a row in the table."""

    index = resource.methods()

    @resource.reads(index)
    def show(self, req, resp):
        """Nobody comes here."""

    @index.when("POST")
    def post(self, req, resp):
        """Nor here."""

    @pecan.expose()
    def count(self):
        """Nor here."""

    @pecan.expose()
    def _lookup(self, name, *rest):
        return Novelty(), rest


@unittest.skipIf(service.is_live(), "a live service shows no controllers")
class RoutesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = service.Service(pump=False)
        cls.addClassCleanup(cls.service.close)

    def new(self, place, name: str) -> set[tuple[str, str]]:
        """Return the routes without a row once novelties are added."""
        with mock.patch.object(place, name, Novelties(), create=True):
            found = routes.served(routes.controllers(self.service.parts))
        return found - routes.nameless(test_matrix.TABLE)

    def expected(self, path: str) -> set[tuple[str, str]]:
        return {("GET", path), ("POST", path), ("ANY", f"{path}/count"),
                ("GET", f"{path}/{{}}"), ("DELETE", f"{path}/{{}}"),
                ("GET", f"{path}/{{}}/details")}

    def test_a_new_resource_lacks_a_row(self):
        self.assertEqual(self.expected("/v1.0/novelties"),
                         self.new(root.VersionController, "novelties"))

    def test_what_is_new_below_a_name_lacks_a_row(self):
        self.assertEqual(self.expected("/v1.0/jobs/{}/parts"),
                         self.new(jobs.JobController, "parts"))

    def test_a_look_up_that_a_resource_is_given_lacks_a_row(self):
        def look_up(self, name, *rest):
            return Novelty(), rest
        found = pecan.expose()(look_up)
        with mock.patch.object(root.HealthController, "_lookup", found,
                               create=True):
            served = routes.served(routes.controllers(self.service.parts))
        self.assertEqual(
            {("GET", "/healthcheck/{}"), ("DELETE", "/healthcheck/{}"),
             ("GET", "/healthcheck/{}/details")},
            served - routes.nameless(test_matrix.TABLE))

    def test_a_look_up_that_finds_nothing_is_not_passed_over(self):
        def look_up(self, name, *rest):
            pecan.abort(404)
        with mock.patch.object(root.HealthController, "_lookup",
                               pecan.expose()(look_up), create=True), \
                self.assertRaisesRegex(AssertionError, "/healthcheck"):
            routes.served(routes.controllers(self.service.parts))
