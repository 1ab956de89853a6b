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

"""The way from an event to Horizon's own page of what it names: it is there,
under the name that we call it by, and only for who may go it."""

from collections.abc import Mapping
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import uuid

from keystoneauth1 import fixture

from tests.cache import CACHE
from tests.integration import horizons

SCRIPT = pathlib.Path(__file__).with_name("horizon_pages.py")

#: Horizon has a page of backups only where it is told that there are any.
SETTINGS = """
from horizon_settings import *
OPENSTACK_CINDER_FEATURES = {"enable_backup": True}
"""

#: Services of a catalog, and the resource types whose pages they bring, with
#: where these are.
PAGES: Mapping[str, Mapping[str, str]] = {
    "compute": {
        "compute.instance": "/project/instances/ID/",
        "compute.keypair": "/project/key_pairs/ID/"},
    "image": {"image.image": "/project/images/ID/"},
    "network": {
        "network.network": "/project/networks/ID/detail",
        "network.port": "/project/networks/ports/ID/detail",
        "network.router": "/project/routers/ID/",
        "network.security_group": "/project/security_groups/ID/",
        "network.subnet": "/project/networks/subnets/ID/detail"},
    "volumev3": {
        "volume.backup": "/project/backups/ID/",
        "volume.snapshot": "/project/snapshots/ID",
        "volume.volume": "/project/volumes/ID/"}}

#: Shown whatever the catalog has: there is a Keystone always.
IDENTITY = {"identity.project": "/identity/ID/detail/",
            "identity.user": "/identity/users/ID/detail/"}


def token(*services: str, roles: tuple[str, ...] = ("reader", "member")
          ) -> dict:
    """Return what Keystone says of a token in a project."""
    made = fixture.V3Token(project_id=uuid.uuid4().hex)
    for one in roles:
        made.add_role(one)
    for one in services:
        made.add_service(one).add_standard_endpoints(
            public="http://127.0.0.1:9", region="RegionOne")
    return made


class TestResourcePages(unittest.TestCase):

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.horizon = horizons.up()
        cls.ident = str(uuid.uuid4())
        cls.found = cls.ask({
            **{name: token(name) for name in PAGES}, "nothing": token(),
            "everything": token(*PAGES, "orchestration"),
            "roleless": token(*PAGES, roles=("strange",))})

    @classmethod
    def ask(cls, tokens: Mapping[str, dict]) -> dict:
        """Return name → resource type → [address, name of it, ids]."""
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        pathlib.Path(folder.name, "with_backups.py").write_text(SETTINGS)
        home = pathlib.Path(cls.horizon["directory"])
        done = subprocess.run(
            [CACHE / f"horizon-{cls.horizon['version']}/bin/python", SCRIPT,
             cls.ident], input=json.dumps(tokens), text=True,
            capture_output=True, check=False, env={
                **os.environ, "DJANGO_SETTINGS_MODULE": "with_backups",
                "PYTHONPATH": f"{folder.name}:{home}:{home / 'site'}"})
        if done.returncode:
            raise AssertionError(done.stderr[-3000:])
        return json.loads(done.stdout.splitlines()[-1])

    def urls(self, name: str) -> dict[str, str]:
        return {kind: url.replace(self.ident, "ID")
                for kind, (url, _, _) in self.found[name].items()}

    def test_every_resource_is_on_a_page_that_horizon_has(self):
        """B7: “the way to the resource's panel”; what no page is called is
        no way."""
        self.assertEqual(
            {**IDENTITY, **{kind: url for pages in PAGES.values()
                            for kind, url in pages.items()}},
            self.urls("everything"))
        for kind, (_, name, idents) in self.found["everything"].items():
            with self.subTest(kind):
                # Horizon understands its own address as the page of this.
                self.assertEqual([self.ident], idents)
                self.assertRegex(name, r"^horizon:(project|identity):"
                                 r"[\w:]+:detail$")

    def test_a_service_that_is_not_in_the_catalog_has_no_pages(self):
        self.assertEqual(IDENTITY, self.urls("nothing"))
        for name, pages in PAGES.items():
            with self.subTest(name):
                self.assertEqual({**IDENTITY, **pages}, self.urls(name))

    def test_who_may_not_see_a_panel_is_not_sent_there(self):
        """As Horizon's policies of images and volumes want a role."""
        for kind in (*PAGES["image"], *PAGES["volumev3"]):
            self.assertNotIn(kind, self.urls("roleless"))


if __name__ == "__main__":
    unittest.main()
