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

"""Who may post and read events."""

from oslo_policy import policy

POST = "events:post"
POST_DELEGATE = "events:post:delegate"
LIST = "events:list"
SHOW = "events:show"
SUMMARIZE = "events:summarize"
RECENT = "events:recent"
STREAM = "events:stream"
ALL_PROJECTS = "events:list:all_projects"

_PROJECT = ["project"]

RULES = [
    policy.DocumentedRuleDefault(
        name=POST,
        check_str="role:member or role:service or role:admin",
        scope_types=_PROJECT,
        description="Post events for the project of the token.",
        operations=[{"path": "/v1.0/events", "method": "POST"}]),
    policy.DocumentedRuleDefault(
        name=POST_DELEGATE,
        check_str="role:service or role:admin",
        scope_types=_PROJECT,
        description="Post events on behalf of other projects, and set "
                    "source, received_at and marks. Agents need it.",
        operations=[{"path": "/v1.0/events", "method": "POST"}]),
    policy.DocumentedRuleDefault(
        name=LIST,
        check_str="role:reader and project_id:%(project_id)s",
        scope_types=_PROJECT,
        description="List the events of the token's project.",
        operations=[{"path": "/v1.0/events", "method": "GET"}]),
    policy.DocumentedRuleDefault(
        name=SHOW,
        check_str="role:reader and project_id:%(project_id)s",
        scope_types=_PROJECT,
        description="Show one event of the token's project.",
        operations=[{"path": "/v1.0/events/{event_id}", "method": "GET"}]),
    policy.DocumentedRuleDefault(
        name=SUMMARIZE,
        check_str="role:reader and project_id:%(project_id)s",
        scope_types=_PROJECT,
        description="Count the events of the token's project, list their "
                    "types and traits.",
        operations=[{"path": "/v1.0/events/types", "method": "GET"},
                    {"path": "/v1.0/events/traits", "method": "GET"},
                    {"path": "/v1.0/events/statistics", "method": "GET"}]),
    policy.DocumentedRuleDefault(
        name=RECENT,
        check_str="role:reader and project_id:%(project_id)s",
        scope_types=_PROJECT,
        description="See the last events of the token's project from "
                    "memory.",
        operations=[{"path": "/v1.0/events/recent", "method": "GET"}]),
    policy.DocumentedRuleDefault(
        name=STREAM,
        check_str="role:reader and project_id:%(project_id)s",
        scope_types=_PROJECT,
        description="Follow the events of the token's project as they come.",
        operations=[{"path": "/v1.0/events/stream", "method": "GET"}]),
    policy.DocumentedRuleDefault(
        name=ALL_PROJECTS,
        check_str="role:admin",
        scope_types=_PROJECT,
        description="Read the events of another project (project_id=…) or "
                    "of all projects (all_projects=true).",
        operations=[{"path": "/v1.0/events", "method": "GET"},
                    {"path": "/v1.0/events/{event_id}", "method": "GET"},
                    {"path": "/v1.0/events/types", "method": "GET"},
                    {"path": "/v1.0/events/traits", "method": "GET"},
                    {"path": "/v1.0/events/statistics", "method": "GET"},
                    {"path": "/v1.0/events/recent", "method": "GET"},
                    {"path": "/v1.0/events/stream", "method": "GET"}]),
]
