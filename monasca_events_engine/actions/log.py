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

"""The log as a receiver: one line for each firing."""

from collections.abc import Mapping
import logging

from oslo_config import cfg

from monasca_events_common import printable
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery

LOG = logging.getLogger(__name__)

#: Characters of one value that are shown.
MAX_VALUE = 256

_FIELDS = ("firing_id", "trigger_id", "trigger_name", "severity", "outcome",
           "at", "project_id", "key", "value", "reason")


class LogLine(Action):
    """Writes firings to the engine's log."""

    GROUP = "log_action"
    OPTS = [
        cfg.StrOpt("level", default="INFO", mutable=True,
                   choices=["DEBUG", "INFO", "WARNING", "ERROR"],
                   help="The level of the lines that the action log "
                        "writes."),
    ]

    def execute(self, delivery: Delivery) -> Mapping:
        LOG.log(getattr(logging, self.conf.level), "%s", line(delivery))
        return {"logged": True}


def line(delivery: Delivery) -> str:
    """Return the line: names with values, nothing of which ends it."""
    found = [("delivery_id", delivery.delivery_id)]
    found += [(name, delivery.firing.get(name)) for name in _FIELDS]
    # Quoted, so that a value cannot pass for the next name.
    return " ".join(f"{name}={_quoted(value)}" for name, value in found
                    if value is not None)


def _quoted(value) -> str:
    text = str(value)[:MAX_VALUE]
    text = printable.escape(text.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{text}"' if not text or set(text) & set(' "=\\') else text
