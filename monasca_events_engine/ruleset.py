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

"""The rules in force: tenants' from the catalog, operators' from the options.

Followed between batches: a changed definition is compiled alone, a new index
is built and takes the old one's place. A definition that cannot be compiled
is reported and left out; it stops nobody else's.
"""

from collections.abc import Callable, Mapping, Sequence
import logging

from monasca_events_common import metrics
from monasca_events_common import plugins
from monasca_events_common.catalog import Catalog
from monasca_events_common.catalog import Definition
from monasca_events_common.catalog import METHODS
from monasca_events_common.catalog import TRIGGERS
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import definition as definitions
from monasca_events_common.rules import trigger
from monasca_events_common.rules.index import Index
from monasca_events_common.rules.trigger import Rule

LOG = logging.getLogger(__name__)

#: Namespace of the operators' triggers, and of their metric actions.
TRIGGERS_NAMESPACE = "monasca_events.triggers"
ACTIONS_NAMESPACE = "monasca_events.metric_actions"


class Ruleset:
    """What the engine judges by.

    :ivar index: the rules, ready to be found
    :ivar revision: the catalog's, as far as it was followed
    :ivar methods: id → type of every notification method there is
    """

    def __init__(self, catalog: Catalog, conf) -> None:
        """:param conf: the group ``[engine]``
        :raises Misconfigured: a plug-in that it names cannot be used
        """
        self.conf = conf
        self._catalog = catalog
        self.revision = 0
        self.methods: dict[str, str] = {}
        self._named: dict[tuple[str, str], str] = {}
        self._tenants: dict[str, Rule] = {}
        self._names: tuple = ()
        self._shared: tuple[Rule, ...] = ()
        self._load_plugins()
        self.index = Index({}, self._shared)

    def follow(self) -> dict[str, str | None]:
        """Take over what changed; return trigger id → generation in force.

        None stands for a trigger that is gone or disabled. Raises
        Unavailable; then everything is as before.
        """
        revision = self._catalog.revision()
        changed: dict[str, str | None] = {}
        if revision != self.revision:
            for one in self._catalog.changes(self.revision,
                                             [TRIGGERS, METHODS]):
                if one.resource == TRIGGERS:
                    self._take(one, changed)
                else:
                    self._take_method(one)
            self.revision = revision
        if self._wanted() != self._names:
            self._follow_plugins(changed)
        if changed:
            self.index = Index(self._by_project(), self._shared, self.index)
        return changed

    def knows(self, trigger_id: str, generation: str) -> bool:
        """Return whether a state of that trigger is still of use."""
        rule = self.rule(trigger_id)
        return rule is not None and rule.version == generation

    def rule(self, trigger_id: str) -> Rule | None:
        """Return the rule in force with that id."""
        found = self._tenants.get(trigger_id)
        return found or next((one for one in self._shared
                              if one.id == trigger_id), None)

    def _take(self, one: Definition, changed: dict) -> None:
        known = self._tenants.pop(one.id, None)
        if not one.deleted and one.content.get("enabled", True):
            try:
                self._tenants[one.id] = definitions.compile(
                    one.content, trigger_id=one.id,
                    project_id=one.project_id)
            except (Rejected, LookupError, TypeError, ValueError) as error:
                # Of another release, or written past the API.
                metrics.BROKEN.labels("definition").inc()
                LOG.error("trigger %s of project %s is left out: %s", one.id,
                          one.project_id, error)
        rule = self._tenants.get(one.id)
        if known or rule:
            changed[one.id] = rule.version if rule else None

    def _take_method(self, one: Definition) -> None:
        self.methods.pop(one.id, None)
        self._named = {key: value for key, value in self._named.items()
                       if value != one.id}
        if not one.deleted:
            self.methods[one.id] = one.content["type"]
            self._named[one.project_id, one.name] = one.id

    def operator_methods(self, trigger_id: str
                         ) -> Sequence[tuple[str, str]]:
        """Return (method id, type) that ``[engine] notify`` names for an
        operators' trigger."""
        found: dict[str, str] = {}
        for line in self.conf.notify:
            name, _, methods = line.partition("=")
            if name.strip() not in (trigger_id, "*"):
                continue
            for one in (part.strip() for part in methods.split(",")):
                method_id = self._named.get(
                    (self.conf.operator_project_id, one), one)
                if method_id in self.methods:
                    found[method_id] = self.methods[method_id]
                else:
                    LOG.warning("[engine] notify: the operators' project has "
                                "no notification method %r", one)
        return list(found.items())

    def _by_project(self) -> Mapping[str, Sequence[Rule]]:
        found: dict[str, list[Rule]] = {}
        for rule in self._tenants.values():
            found.setdefault(rule.project_id, []).append(rule)
        return found

    # -- the operators' ------------------------------------------------------

    def _wanted(self) -> tuple:
        return (tuple(self.conf.enabled_triggers),
                tuple(self.conf.enabled_metric_actions))

    def _load_plugins(self) -> None:
        wanted = self._wanted()
        triggers, actions = wanted
        found: dict[str, Rule] = {}
        for namespace, option, names in (
                (TRIGGERS_NAMESPACE, "enabled_triggers", triggers),
                (ACTIONS_NAMESPACE, "enabled_metric_actions", actions)):
            for name in names:
                for rule in _rules_of(namespace, option, name):
                    found[rule.id] = rule
        known = {one.id: one for one in self._shared}
        # One that is still enabled keeps its state and its compiled form.
        self._shared = tuple(known.get(name, rule)
                             for name, rule in found.items())
        self._names = wanted

    def _follow_plugins(self, changed: dict) -> None:
        before = {one.id: one.version for one in self._shared}
        try:
            self._load_plugins()
        except Misconfigured as error:
            LOG.error("the operators' triggers stay as they were: %s", error)
            self._names = self._wanted()
            return
        after = {one.id: one.version for one in self._shared}
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                changed[name] = after.get(name)


def _rules_of(namespace: str, option: str, name: str) -> list[Rule]:
    """Return the rules of one plug-in: of a class, or of each it makes."""
    made: type | Callable = plugins.load(namespace, name)
    try:
        if isinstance(made, type):
            return [trigger.of_class(name, made)]
        # A function returns several classes, such as one a lifecycle.
        return [trigger.of_class(f"{name}.{part}", cls)
                for part, cls in made().items()]
    except Rejected as error:
        raise Misconfigured(f"[engine] {option}: {name}: {error}") from error
