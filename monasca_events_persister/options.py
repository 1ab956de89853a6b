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

"""The persister's options, gathered for its command and for the sample."""

from oslo_config import cfg

from monasca_events_common import database
from monasca_events_common import deadletters
from monasca_events_common import stream
from monasca_events_persister import retention

#: Options of the process itself.
OPTS = [
    cfg.IntOpt("workers", default=1, min=1,
               help="Processes of this persister. They share the partitions "
                    "with every other persister of the group."),
    cfg.StrOpt("group", default="persister",
               help="The consumer group. A second store is filled by a "
                    "second persister with another group."),
    cfg.BoolOpt("transforms", default=True,
                help="Whether tenants' transforms are applied to what is "
                     "stored. They are read from [database] connection; "
                     "where it does not answer when the persister starts, "
                     "nothing is stored until it does."),
]


def groups() -> list[tuple[str, list]]:
    """Return (group, options) of everything that the persister reads."""
    return [("persister", [*OPTS, *stream.OPTS]),
            ("retention", list(retention.OPTS)),
            (database.GROUP, list(database.OPTS)),
            (deadletters.GROUP, list(deadletters.OPTS))]


def list_opts() -> list[tuple[str, list]]:
    """Options for oslo-config-generator; the kernel lists its own."""
    return groups()[:2]
