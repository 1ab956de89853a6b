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


"""The policies that every resource of definitions has alike."""

from oslo_policy import policy

PROJECT = ["project"]

#: Who reads, and who changes, what is the token's project's own.
READER = "role:reader and project_id:%(project_id)s"
MEMBER = "role:member and project_id:%(project_id)s"


class Rules:
    """Names and defaults of one resource's policies.

    :ivar defaults: for the enforcer
    """

    def __init__(self, name: str, path: str, things: str,
                 *listed: str) -> None:
        """
        :param name: what the policies' names begin with
        :param path: of the collection
        :param things: the resource in the plural, for people
        :param listed: further addresses of lists that who lists may read
        """
        self.list = f"{name}:list"
        self.show = f"{name}:show"
        self.create = f"{name}:create"
        self.update = f"{name}:update"
        self.delete = f"{name}:delete"
        self.all_projects = f"{name}:list:all_projects"
        one = f"{path}/{{id}}"
        self.defaults = [
            rule(self.list, READER, f"List the {things} of the token's "
                 "project.", ("GET", path),
                 *(("GET", one) for one in listed)),
            rule(self.show, READER, f"Show one of the {things} of the "
                 "token's project.", ("GET", one)),
            rule(self.create, MEMBER, f"Make {things} in the token's "
                 "project.", ("POST", path)),
            rule(self.update, MEMBER, f"Change {things} of the token's "
                 "project.", ("PATCH", one)),
            rule(self.delete, MEMBER, f"Delete {things} of the token's "
                 "project.", ("DELETE", one)),
            rule(self.all_projects, "role:admin", f"Read the {things} of "
                 "another project (project_id=…) or of all projects "
                 "(all_projects=true).", ("GET", path), ("GET", one))]


def rule(name: str, check: str, description: str,
         *operations: tuple[str, str]) -> policy.DocumentedRuleDefault:
    """Return one default.

    :param operations: (method, path) that it decides about
    """
    return policy.DocumentedRuleDefault(
        name=name, check_str=check, scope_types=PROJECT,
        description=description,
        operations=[{"method": method, "path": path}
                    for method, path in operations])
