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

"""Options of the API that belong to no single part of it.

A part's own options stand above its code; this module gathers all of them for
the command and for the sample file.
"""

from oslo_config import cfg

from monasca_events_api import live
from monasca_events_api import timeline
from monasca_events_common import database
from monasca_events_common import deadletters
from monasca_events_common.catalog import methods
from monasca_events_common.catalog import secrets
from monasca_events_common.catalog import targets

API_OPTS = [
    cfg.StrOpt("host", default="127.0.0.1",
               help="The address on which monasca-events-api listens. With "
                    "[identity] driver = local only a loopback address is "
                    "accepted."),
    cfg.PortOpt("port", default=5656,
                help="The port on which monasca-events-api listens. 0 takes "
                     "any free one."),
    cfg.IntOpt("workers", default=1, min=1, max=256,
               help="Processes that serve requests from one listening "
                    "socket. More use more processor cores."),
    cfg.IntOpt("threads", default=8, min=1, max=512,
               help="Threads in each worker. As many requests can wait for "
                    "the bus or the store at once. Under another server: as "
                    "many of its threads live streams leave to requests, and "
                    "at least a half."),
    cfg.IntOpt("backlog", default=1024, min=1,
               help="Connections that the kernel keeps waiting while every "
                    "worker is busy."),
    cfg.IntOpt("max_connections", default=1000, min=10,
               help="Connections that one worker keeps open at most; further "
                    "ones wait in the backlog."),
    cfg.IntOpt("idle_timeout", default=120, min=1,
               help="Seconds after which a connection without a request is "
                    "closed."),
    cfg.StrOpt("public_endpoint", default="",
               help="The URL at which clients reach this API, such as "
                    "https://events.example.org:5656, used in links. Empty "
                    "takes what the request says, which is wrong behind a "
                    "proxy that ends TLS."),
    cfg.StrOpt("project_id_pattern",
               default="[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}"
                       "-[0-9a-f]{12}",
               help="A regular expression that a project id must match as a "
                    "whole. Store drivers make names from project ids, so "
                    "that anything beyond letters, digits, '-' and '_' is "
                    "unwise."),
    cfg.DictOpt("groups", default={"persister": "persister",
                                   "engine": "engine"},
                mutable=True,
                help="Services that consume the bus and the names of their "
                     "consumer groups, as [persister] group and [engine] "
                     "group say, for /v1.0/services."),
    cfg.ListOpt("replay_stages", default=["persister", "engine"],
                mutable=True,
                help="Stages whose dead letters can be replayed through this "
                     "API. Those of agent and poster go into the spool of "
                     "the machine on which they are replayed; name them only "
                     "where the agent runs beside the API with the same "
                     "configuration file."),
]

LIMITS_OPTS = [
    cfg.IntOpt("max_body_bytes", default=1024 * 1024, min=1024, mutable=True,
               help="Bytes of a request's body at most, before and after "
                    "decompression. A larger one is answered 413."),
    cfg.IntOpt("max_event_bytes", default=256 * 1024, min=256, mutable=True,
               help="Bytes of one event in its canonical form at most. A "
                    "larger one is rejected with the code event_too_large."),
    cfg.IntOpt("max_events", default=1000, min=1, mutable=True,
               help="Events in one request at most. More are answered 413."),
    cfg.IntOpt("max_depth", default=20, min=1, max=200, mutable=True,
               help="Nested objects and arrays in a payload at most. "
                    "Elasticsearch takes 20."),
    cfg.IntOpt("max_keys", default=2000, min=1, mutable=True,
               help="Keys in a payload at most, all levels together."),
    cfg.IntOpt("max_page", default=500, min=1, mutable=True,
               help="Events that one page of a list holds at most. A larger "
                    "limit is answered 400."),
    cfg.IntOpt("default_page", default=100, min=1, mutable=True,
               help="Events that one page of a list holds when the request "
                    "names no limit."),
    cfg.IntOpt("max_buckets", default=10000, min=1, mutable=True,
               help="Intervals that a statistics request may span. More are "
                    "answered 400."),
]

INGEST_OPTS = [
    cfg.IntOpt("accept_past", default=366, min=1, mutable=True,
               help="Days by which an event's own timestamp may lie in the "
                    "past. An older event with an id of its own is rejected "
                    "with the code timestamp_out_of_window; one without gets "
                    "the time of its arrival and the mark clock_skew. Should "
                    "not exceed the retention."),
    cfg.FloatOpt("keep_receipts", default=86400.0, min=1, mutable=True,
                 help="Seconds for which /v1.0/jobs answers what became of a "
                      "POST of events."),
]

QUOTAS_OPTS = [
    cfg.IntOpt("triggers", default=50, min=-1, mutable=True,
               help="Triggers that a project may have; -1 for any number. "
                    "One more is answered 403 with the code quota_exceeded; "
                    "those that are there stay."),
    cfg.IntOpt("notification_methods", default=20, min=-1, mutable=True,
               help="Notification methods that a project may have; -1 for "
                    "any number."),
    cfg.IntOpt("transforms", default=20, min=-1, mutable=True,
               help="Transforms that a project may have; -1 for any number."),
    cfg.IntOpt("backtests", default=2, min=-1, mutable=True,
               help="Back-tests of a project that may be waiting or running "
                    "at once; -1 for any number."),
    cfg.IntOpt("receipts", default=10000, min=-1, mutable=True,
               help="Receipts that a project may have, one for each POST of "
                    "events that asked for it with job=true; -1 for any "
                    "number. See [ingest] keep_receipts."),
]

RULES_OPTS = [
    cfg.IntOpt("max_cost", default=500, min=1, mutable=True,
               help="The cost that the patterns of one trigger, or the "
                    "pattern and the operations of one transform, may have "
                    "together, about in tenths of a microsecond an event. A "
                    "costlier definition is answered 400 with the code "
                    "too_costly; those that are there stay."),
]

#: (group, options) that the command registers.
OPTIONS = (("api", API_OPTS), ("limits", LIMITS_OPTS),
           ("ingest", INGEST_OPTS), ("quotas", QUOTAS_OPTS),
           ("rules", RULES_OPTS), (live.GROUP, live.OPTS),
           (timeline.GROUP, timeline.OPTS))

#: Those of the kernel that it registers too.
KERNEL = ((database.GROUP, database.OPTS),
          (deadletters.GROUP, deadletters.OPTS),
          (secrets.GROUP, secrets.OPTS), (targets.GROUP, targets.OPTS),
          (methods.GROUP, methods.OPTS))


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options for oslo-config-generator, those of plug-ins included."""
    from monasca_events_api import identity
    from monasca_events_api.identity import keystone
    from monasca_events_api.identity import local
    from monasca_events_api.timeline import gnocchi
    from monasca_events_api.timeline import monasca
    return [*((group, list(opts)) for group, opts in OPTIONS),
            (identity.GROUP, list(identity.OPTS)),
            (local.LocalIdentity.GROUP, list(local.LocalIdentity.OPTS)),
            (keystone.KeystoneIdentity.GROUP,
             list(keystone.KeystoneIdentity.OPTS)),
            *((one.GROUP, list(one.OPTS))
              for one in (gnocchi.Gnocchi, monasca.Monasca))]
