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


"""``openstack event …`` on real servers: Keystone's tokens and catalog.

RabbitMQ, Kafka, Elasticsearch and MariaDB carry what it shows.
"""

import pathlib
import unittest

import yaml

from tests.integration import commands
from tests.integration import tails
from tests.integration.sites import EngineSite
from tests.integration.sites import Site

#: cloud → project and role.
_CLOUDS = {"demo-member": ("A", "member"), "demo-reader": ("A", "reader"),
           "alt-member": ("B", "member"), "alt-reader": ("B", "reader"),
           "admin": ("operator", "admin")}


class CliLiveTest(commands.CommandTests, tails.WorkersTests,
                  unittest.TestCase):

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        return EngineSite(folder)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The catalog shall have one service of this type, as a cloud's has.
        cls.site.keystone.withdraw(others=True)
        cls.addClassCleanup(cls.site.keystone.withdraw)
        where = cls.site.servers["keystone"]
        cls._file = cls.folder / "clouds.yaml"
        cls._file.write_text(yaml.safe_dump({"clouds": {
            cloud: {"auth_type": "password",
                    "region_name": where["region_name"],
                    "auth": cls.credentials(project, role)}
            for cloud, (project, role) in _CLOUDS.items()}}))

    @classmethod
    def credentials(cls, project: str, role: str) -> dict[str, str]:
        site = cls.site
        project_id = site.projects[project]
        name, password = site.keystone.user(f"cli-{project}-{role}",
                                            project_id, role)
        return {"auth_url": site.servers["keystone"]["auth_url"],
                "username": name, "password": password,
                "user_domain_id": "default", "project_id": project_id}

    @classmethod
    def clouds(cls) -> pathlib.Path:
        return cls._file

    def test_a_password_that_is_wrong_is_told_in_a_line(self):
        # openstack asks for a token before it asks us for anything.
        done = self.openstack("event", "list", code=1, OS_PASSWORD="wrong")
        self.assertRegex(done.stderr, r"\A[^\n]*HTTP 401[^\n]*\n\Z")
