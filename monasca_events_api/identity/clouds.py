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

"""The writer of clouds.yaml, for clients of a local API.

With the auth type ``admin_token`` keystoneauth sends a fixed token to a fixed
endpoint, so that every OpenStack client works without Keystone.
"""

from collections.abc import Iterable
import json
import os

from monasca_events_common.errors import Misconfigured


def write(path: str, endpoint: str,
          clouds: Iterable[tuple[str, str, str]]) -> None:
    """Write the file, readable by its owner only.

    :param clouds: name of the cloud, token, project id
    :raises Misconfigured: it cannot be written
    """
    lines = ["clouds:"]
    for name, token, project_id in clouds:
        # A JSON string is a YAML string, whatever is in it.
        lines += [f"  {json.dumps(name)}:",
                  "    auth_type: admin_token",
                  "    auth:",
                  f"      endpoint: {json.dumps(endpoint)}",
                  f"      token: {json.dumps(token)}",
                  # For people and scripts: a token of this kind does not
                  # tell its project.
                  "    monasca_events:",
                  f"      project_id: {json.dumps(project_id)}"]
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                             0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise Misconfigured(f"cannot write {path}: {error}") from error
