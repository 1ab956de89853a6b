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

"""Where Horizon and the panels meet, asked of its own environment.

The way from an event to Horizon's page of what it names is there, under the
name that we call it by, and only for who may go it; and what the guide has an
administrator type brings the panels.
"""

from collections.abc import Mapping
import json
import os
import pathlib
import re
import shutil
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

GUIDE = horizons.ROOT / "doc/source/admin/horizon.rst"

#: Prints where each panel is, and whether Horizon knows the policies.
PANELS = """
import django
django.setup()
from django.conf import settings
from django.urls import resolve
import horizon
resolve("/")
for dashboard, panels in (
        ("project", ("events", "event_triggers", "event_methods")),
        ("admin", ("events",))):
    for panel in panels:
        print(horizon.get_dashboard(dashboard).get_panel(
            panel).get_absolute_url())
print(settings.DEFAULT_POLICY_FILES["event"])
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
        cls.home = pathlib.Path(cls.horizon["directory"])
        cls.python = CACHE / f"horizon-{cls.horizon['version']}/bin/python"
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
        done = subprocess.run(
            [cls.python, SCRIPT, cls.ident], input=json.dumps(tokens),
            text=True, capture_output=True, check=False, env={
                **os.environ, "DJANGO_SETTINGS_MODULE": "with_backups",
                "PYTHONPATH": f"{folder.name}:{cls.home}:{cls.home}/site"})
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

    def test_what_the_guide_has_one_type_brings_the_panels(self):
        """B7: into a Horizon that never heard of them."""
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        folder = pathlib.Path(made.name)
        package = self.python.parents[1] / "lib"
        source, = package.glob("python*/site-packages/openstack_dashboard")
        fresh = folder / "packages/openstack_dashboard"
        shutil.copytree(source, fresh, ignore=shutil.ignore_patterns(
            "__pycache__"))
        shutil.copy(self.home / "local/local_settings.py", fresh / "local")
        (folder / "bin").mkdir()
        # Horizon's Python, as one has it after "into its environment".
        python = folder / "bin/python"
        python.write_text(f"#!/bin/sh\nPYTHONPATH={fresh.parent}:"
                          f"{self.home}/site exec {self.python} \"$@\"\n")
        python.chmod(0o755)
        typed, = [block for block in re.findall(
            r"::\n\n((?: {4}.*\n)+)", GUIDE.read_text("utf-8"))
            if "ln -s" in block]
        environment = {"PATH": f"{python.parent}:{os.environ['PATH']}",
                       "DJANGO_SETTINGS_MODULE":
                       "openstack_dashboard.settings"}
        subprocess.run(["bash", "-eu"], input=re.sub("(?m)^ {4}", "", typed),
                       text=True, check=True, env=environment)
        done = subprocess.run([python, "-"], input=PANELS, text=True,
                              check=False, capture_output=True,
                              env=environment)
        self.assertEqual(0, done.returncode, done.stderr[-3000:])
        *urls, policies = done.stdout.split()
        self.assertEqual(
            ["/project/events/", "/project/event_triggers/",
             "/project/event_methods/", "/admin/events/"], urls)
        self.assertTrue(pathlib.Path(policies).is_file())


if __name__ == "__main__":
    unittest.main()
