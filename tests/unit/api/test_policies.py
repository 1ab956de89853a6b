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

"""Policies in code, and a policy file over them; B18."""

import tempfile
import unittest

from oslo_config import cfg
from oslo_context import context

from monasca_events_api import policies
from monasca_events_api.policies import events
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import Misconfigured

#: The sample of the administrator's guide.
OLD_ROLES = """
"events:post": "role:monasca-user or role:monasca-agent or role:admin"
"events:post:delegate": "role:admin"
"events:list": "role:monasca-user or role:monasca-read-only-user"
"""


def who(*roles, **scope):
    scope.setdefault("project_id", "a" * 32)
    return context.RequestContext(roles=list(roles), overwrite=False, **scope)


class PoliciesTest(unittest.TestCase):

    def policy(self, text=None):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        if text is not None:
            file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
            self.addCleanup(file.close)
            file.write(text)
            file.flush()
            policies.policy.Enforcer(conf)
            conf.set_override("policy_file", file.name, group="oslo_policy")
        return policies.Policy(conf)

    def test_every_rule_is_documented_and_for_projects(self):
        for rule in policies.list_rules():
            with self.subTest(rule=rule.name):
                self.assertTrue(rule.description)
                self.assertTrue(rule.operations)
                self.assertEqual(["project"], rule.scope_types)

    def test_other_scopes_are_refused_whatever_the_role(self):
        policy = self.policy()
        for scope in ({"system_scope": "all", "project_id": None},
                      {"domain_id": "default", "project_id": None}):
            self.assertFalse(policy.allows(who("admin", "reader", **scope),
                                           events.LIST))

    def test_a_refusal_names_the_policy(self):
        with self.assertRaisesRegex(Forbidden, "events:post"):
            self.policy().authorize(who("reader"), events.POST)

    def test_the_roles_of_old_sites_work_by_a_policy_file(self):
        policy = self.policy(OLD_ROLES)
        for role in ("monasca-user", "monasca-agent", "admin"):
            policy.authorize(who(role), events.POST)
        policy.authorize(who("monasca-read-only-user"), events.LIST)
        self.assertFalse(policy.allows(who("member"), events.POST))
        self.assertFalse(policy.allows(who("monasca-agent"), events.LIST))

    def test_a_policy_file_that_cannot_be_read_stops_the_start(self):
        with self.assertRaises(Misconfigured):
            self.policy('"events:post": [')
