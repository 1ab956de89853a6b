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

#: Characters of an operators' trigger's name, as the database keeps it.
MAX_NAME = 64


class Ruleset:
    """What the engine judges by.

    :ivar index: the rules, ready to be found
    :ivar revision: the catalog's, as far as it was followed
    :ivar methods: id → type of every notification method there is
    """

    def __init__(self, catalog: Catalog, conf,
                 options: Callable[[type], object] = lambda _plugin: None
                 ) -> None:
        """:param conf: the group ``[engine]``
        :param options: of a plug-in, returns its option group
        :raises Misconfigured: a plug-in that it names cannot be used
        """
        self.conf = conf
        self._catalog = catalog
        self._options = options
        self.revision = 0
        self.methods: dict[str, str] = {}
        self._named: dict[tuple[str, str], str] = {}
        self._tenants: dict[str, Rule] = {}
        self._plugins: dict[tuple[str, str], PlugIn] = {}
        self._shared: tuple[Rule, ...] = ()
        self._wanted: tuple = ()
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
        if self._settings() != self._wanted:
            self._follow_plugins(changed)
        if changed:
            self.index = Index(self._by_project(), self._shared, self.index)
        return changed

    @property
    def actions(self) -> set[str]:
        """The actions that operators' triggers lead to."""
        return {name for rule in self._shared
                for name in rule.settings.get("actions", ())}

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
            if name.strip() not in (trigger_id, trigger_id.split(".")[0],
                                    "*"):
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

    def _settings(self) -> tuple:
        """Return what decides which plug-ins there are and how they are."""
        return (tuple(self.conf.enabled_triggers),
                tuple(self.conf.enabled_metric_actions),
                *(one.settings() for one in self._plugins.values()))

    def _load_plugins(self) -> None:
        enabled: dict[tuple[str, str], PlugIn] = {}
        found: dict[str, Rule] = {}
        for namespace, option, names in (
                (TRIGGERS_NAMESPACE, "enabled_triggers",
                 self.conf.enabled_triggers),
                (ACTIONS_NAMESPACE, "enabled_metric_actions",
                 self.conf.enabled_metric_actions)):
            for name in names:
                known = self._plugins.get((namespace, name))
                try:
                    if known is None:
                        made = plugins.load(namespace, name)
                        known = PlugIn(name, made, self._options(made))
                    # One that is as it was keeps its state and its rules.
                    one = enabled[namespace, name] = known.followed()
                    _add(found, one)
                except Misconfigured as error:
                    raise Misconfigured(f"[engine] {option}: {error}"
                                        ) from error
        self._plugins = enabled
        self._shared = tuple(found.values())
        self._wanted = self._settings()

    def _follow_plugins(self, changed: dict) -> None:
        before = {one.id: one for one in self._shared}
        try:
            self._load_plugins()
        except Misconfigured as error:
            LOG.error("the operators' triggers stay as they were: %s", error)
            self._wanted = self._settings()
            return
        after = {one.id: one for one in self._shared}
        for name in before.keys() | after.keys():
            rule = after.get(name)
            if before.get(name) is not rule:
                changed[name] = rule.version if rule else None


class PlugIn:
    """One that the operator enabled, as its options have it.

    :ivar rules: what it watches for
    """

    def __init__(self, name: str, made, group) -> None:
        """:param made: what the name led to
        :param group: its option group, None without one
        :raises Misconfigured: it is no plug-in, or its options cannot work
        """
        self.name = name
        self._made = made
        self._group = group
        self._set = self.settings()
        self.rules = self._rules()

    def settings(self) -> tuple:
        """Return the values of its options now."""
        return () if self._group is None else tuple(
            repr(getattr(self._group, opt.dest)) for opt in self._made.OPTS)

    def followed(self) -> "PlugIn":
        """Return itself, or another one where its options have changed."""
        if self.settings() == self._set:
            return self
        return PlugIn(self.name, self._made, self._group)

    def _rules(self) -> list[Rule]:
        made = self._made
        if not (isinstance(made, type)
                and issubclass(made, trigger.Trigger | trigger.Family)):
            raise Misconfigured(f"{self.name} is {made!r}; expected a "
                                "subclass of Trigger or Family")
        try:
            found = made.configure(self._group)
            if isinstance(found, type):
                return [trigger.of_class(self.name, found)]
            return [trigger.of_class(f"{self.name}.{part}", cls)
                    for part, cls in found.items()]
        except Misconfigured:
            raise
        except Rejected as error:
            raise Misconfigured(str(error)) from error
        except Exception as error:  # whatever a stranger's class raises
            raise Misconfigured(f"{self.name}: {type(error).__name__}: "
                                f"{error}") from error


def _add(found: dict[str, Rule], plugin: PlugIn) -> None:
    for rule in plugin.rules:
        if rule.id in found:
            raise Misconfigured(f"{rule.id} is there twice")
        if len(rule.id) > MAX_NAME:
            raise Misconfigured(f"the name {rule.id} has more than "
                                f"{MAX_NAME} characters")
        found[rule.id] = rule
