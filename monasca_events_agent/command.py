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

"""``monasca-events-agent``: the daemon that brings events to the API."""

from collections.abc import Sequence

from monasca_events_agent import agent
from monasca_events_common import config
from monasca_events_common import daemon

DESCRIPTION = """Collects notifications, makes events of them and posts them
to the events API, with a spool on disk in between. SIGTERM ends it after its
last batch, SIGHUP reads the mutable options again."""

EPILOG = """Examples:
  monasca-events-agent --config-file /etc/monasca-events/monasca-events.conf
  kill -HUP PID        take over changed filters and limits
"""


def start(argv: Sequence[str]) -> int:
    """Run the agent until SIGTERM; return the exit status."""
    conf = config.load(argv, "monasca-events-agent", agent.GROUPS,
                       description=DESCRIPTION, epilog=EPILOG)
    # Here already, so that a mistake is one line and an exit status.
    agent.check(conf)
    # One of each: the spool has one poster, so that order is kept.
    return daemon.run(conf, agent.make_collector, workers=1,
                      beside=[agent.make_sender])


def main() -> int:
    """Entry point of the command."""
    return config.run(start)
