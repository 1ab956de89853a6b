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

"""The agent's options, for oslo-config-generator and the documentation."""

import importlib

from oslo_config import cfg

from monasca_events_agent import agent
from monasca_events_agent import endpoints
from monasca_events_common import credentials

# Sources whose options are in the sample; imported only when it is made.
_SOURCES = ("monasca_events_agent.sources.notifications:NotificationSource",
            "monasca_events_agent.sources.file:FileSource",
            "monasca_events_agent.sources.syslog:SyslogSource")


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return every group of the agent with its options."""
    from monasca_events_agent.traffic import file_driver
    found = [(group, list(opts)) for group, opts in agent.GROUPS]
    for spelling in _SOURCES:
        module, name = spelling.split(":")
        cls = getattr(importlib.import_module(module), name)
        found.append((cls.GROUP, list(cls.OPTS)))
    found.append((endpoints.AUTH_GROUP, credentials.options()))
    # Read by services that notify through a file, not by the agent; listed
    # here because the driver is this package's.
    found.append((file_driver.GROUP, list(file_driver.OPTS)))
    return found
