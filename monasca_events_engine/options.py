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

"""The engine's options, gathered for its command and for the sample."""

from oslo_config import cfg

from monasca_events_common import credentials
from monasca_events_common import database
from monasca_events_common import deadletters
from monasca_events_common import plugins
from monasca_events_common import stream
from monasca_events_common.catalog import methods
from monasca_events_common.catalog import secrets
from monasca_events_common.catalog import targets
from monasca_events_engine import account
from monasca_events_engine import actions
from monasca_events_engine import backtest
from monasca_events_engine import dispatcher
from monasca_events_engine import history
from monasca_events_engine import retry
from monasca_events_engine import sinks
from monasca_events_engine.alarms import orphans

OPTS = [
    cfg.IntOpt("workers", default=1, min=1,
               help="Processes of this engine. They share the partitions "
                    "with every other engine of the group."),
    cfg.StrOpt("group", default="engine",
               help="The consumer group. It also names the positions in the "
                    "database."),
    cfg.StrOpt("operator_project_id", default="",
               help="The project that firings of the operators' triggers "
                    "belong to. Notification methods that [engine] notify "
                    "names are looked up in it."),
    cfg.ListOpt("enabled_triggers", default=[], mutable=True,
                help="The operators' triggers that run, in this order: names "
                     "of plug-ins (such as vm_deleted, missing_end), or "
                     "module:Class."),
    cfg.ListOpt("enabled_metric_actions", default=[], mutable=True,
                help="The metric actions that run, in this order: names of "
                     "plug-ins (durations, failure_rate, event_rate), or "
                     "module:Class."),
    cfg.MultiStrOpt("notify", default=[], mutable=True,
                    help="Which notification methods of the operators' "
                         "project a firing of an operators' trigger leads "
                         "to, such as vm_deleted = ops-mail, ops-webhook. "
                         "Methods are named by name or id. A star stands "
                         "for any trigger, and missing_end for each of its "
                         "parts. May be given several times."),
    cfg.FloatOpt("lateness", default=0.3, min=0.0, mutable=True,
                 help="Seconds that an event may come after it happened and "
                      "still be taken in the order of time by triggers that "
                      "keep state. Those decide that much later."),
    cfg.FloatOpt("max_lateness", default=600.0, min=0.0, mutable=True,
                 help="Seconds for which missing events are waited for at "
                      "most where a tenant's events come late, as from an "
                      "agent that was cut off."),
    cfg.IntOpt("max_waiting", default=50000, min=1, mutable=True,
               help="Events that may wait for their turn. Of more, the first "
                    "are taken early, which metrics count as limited."),
    cfg.FloatOpt("seen_seconds", default=3600.0, min=60.0, mutable=True,
                 help="Seconds for which an event that was taken is "
                      "remembered, so that it counts once when it comes "
                      "again."),
    cfg.IntOpt("max_groups", default=50000, min=100, mutable=True,
               help="Groups of events whose state is kept in memory; the "
                    "others are read from the database when they are "
                    "wanted."),
    cfg.IntOpt("max_firings_per_minute", default=6000, min=1, mutable=True,
               help="Firings of one trigger that are delivered within a "
                    "minute, unless the trigger has a rate limit of its own. "
                    "More are recorded as limited and not delivered."),
    cfg.IntOpt("max_series", default=10000, min=1, mutable=True,
               help="Time series of metric actions that one engine process "
                    "keeps. Of more, the labels become other, which metrics "
                    "count as limited."),
    cfg.FloatOpt("follow_interval", default=0.3, min=0.05, mutable=True,
                 help="Seconds between two looks for changed definitions."),
]


# What is done with firings; each action registers a group of its own.
_DELIVERING = [(module.GROUP, list(module.OPTS))
               for module in (dispatcher, retry, history, actions, sinks)]

_ACTIONS = ("webhook:Webhook", "email:Email", "log:LogLine",
            "event:DerivedEvent", "monasca_notification:MonascaNotification")

# Other plug-ins that have options of their own.
_PLUGINS = ("triggers.missing_end:MissingEnds",
            "triggers.sequence_failure:SequenceFailures",
            "triggers.never_seen_transition:NeverSeenTransition",
            "metric_actions.durations:Durations",
            "metric_actions.failure_rate:FailureRates",
            "metric_actions.event_rate:EventRate",
            "sinks.gnocchi:Gnocchi", "sinks.monasca:Monasca",
            "sinks.monasca_kafka:MonascaKafka", "sinks.statsd:Statsd",
            "alarms.removal:DeleteAlarms", "alarms.aodh:Aodh",
            "alarms.monasca:Monasca")


def groups() -> list[tuple[str, list]]:
    """Return (group, options) of everything that the engine reads."""
    return [("engine", [*OPTS, *(
                opt for opt in stream.OPTS if opt.name != "in_flight"),
                _IN_FLIGHT]),
            (database.GROUP, list(database.OPTS)),
            (secrets.GROUP, list(secrets.OPTS)),
            (deadletters.GROUP, list(deadletters.OPTS)),
            (backtest.GROUP, list(backtest.OPTS)), *_DELIVERING]


# Batches change one state, so there is one at a time.
_IN_FLIGHT = cfg.IntOpt("in_flight", default=1, min=1, max=1,
                        help="Batches handled at once; the engine's share "
                             "state, so it is one.")


def list_opts() -> list[tuple[str, list]]:
    """Options for oslo-config-generator; the kernel lists its own."""
    found = [*groups()[:1], (backtest.GROUP, list(backtest.OPTS)),
             *_DELIVERING]
    for spelling in _ACTIONS:
        cls = plugins.load(actions.NAMESPACE, f"{actions.__name__}.{spelling}")
        found.append((cls.GROUP, [
            opt for opt in cls.OPTS
            if opt not in (*targets.OPTS, *methods.OPTS)]))
    merged: dict[str, dict[str, cfg.Opt]] = {}
    for spelling in _PLUGINS:
        # Several that speak with one service share its group.
        cls = plugins.resolve(f"monasca_events_engine.{spelling}")
        merged.setdefault(cls.GROUP, {}).update(
            (opt.name, opt) for opt in cls.OPTS)
    found += [(group, list(opts.values())) for group, opts in merged.items()]
    found.append((orphans.NOVA_GROUP, list(orphans.NOVA_OPTS)))
    found.append((account.GROUP, credentials.options()))
    return found
