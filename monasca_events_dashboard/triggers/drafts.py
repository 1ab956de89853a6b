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

"""Making and changing triggers: in fields or as JSON, tried before saved."""

from collections.abc import Mapping
import datetime
from typing import Any

from django import shortcuts
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from horizon import messages
from openstack_dashboard import policy

from monasca_events_client import errors
from monasca_events_dashboard import page
from monasca_events_dashboard import patterns
from monasca_events_dashboard import rules
from monasca_events_dashboard import search
from monasca_events_dashboard.triggers import forms
from monasca_events_dashboard.triggers import trials

_PANEL = "horizon:project:event_triggers"

#: Seconds that somebody waits for a back-test before it is left running.
_WAIT = 8.0


class Draft(page.FormPage):
    """The page on which a trigger is made or changed.

    One address for both forms; what was filled in moves from one to the
    other, and is tried, without being saved.
    """

    template_name = "monasca_events/triggers/draft.html"
    cancel_url = f"{_PANEL}:index"

    def beginning(self) -> Mapping[str, Any]:
        """Return the definition to begin with."""
        raise NotImplementedError

    def make_form(self, data: Any = None):
        if data is not None and data.get("form") == "json":
            return forms.JsonForm(data)
        if data is not None:
            kind = data.get("kind")
            return self._fields(kind if kind in rules.SLOTS else "match",
                                self._kept(), data)
        return self._form_of(self.beginning(),
                             self.request.GET.get("form") == "json")

    def _kept(self) -> dict[str, Any]:
        """Return what the fields leave as it is."""
        return {"kept": {name: self.thing[name] for name in rules.KEPT
                         if self.thing and self.thing.get(name)}}

    def _form_of(self, definition: Mapping[str, Any], as_json: bool):
        """Return the form with a definition filled in: the one in fields
        where there are enough."""
        if not as_json:
            try:
                return self._fields(definition.get("kind", ""),
                                    rules.read(definition))
            except patterns.TooRich as error:
                self.problems.append(_t(
                    "This trigger is shown as JSON, for the form has no "
                    "fields for all that it says: %s.") % error)
        return forms.JsonForm(filled=definition)

    def _fields(self, kind: str, filled: Mapping[str, Any],
                data: Any = None) -> forms.FieldsForm:
        methods = self.attempt(
            lambda: list(self.client.notification_methods.list()), [])
        return forms.FieldsForm(data, kind=kind, methods=methods,
                                filled=filled)

    def post(self, request, *args: Any, **kwargs: str):
        form = self.make_form(request.POST)
        # In the address: Horizon disables buttons when a form is sent, and
        # what is disabled sends no value.
        act = request.GET.get("act", "save")
        if act != "save" and "name" in form.fields:
            form.fields["name"].required = False
        definition = form.made() if form.is_valid() else None
        if definition is None:
            return self.render(form)
        try:
            if act == "switch":
                return self.render(self._form_of(
                    definition, form.form == "fields"))
            if act == "test":
                return self.render(form, test=self._test(form, definition))
            if act == "backtest":
                return self._backtest(form, definition)
            return self.save(form, definition)
        except errors.ClientError as error:
            form.blame(error)
            return self.render(form)

    def save(self, form, definition: dict[str, Any] | None = None):
        raise NotImplementedError

    def _test(self, form, definition: dict[str, Any]) -> dict[str, Any]:
        event_id = form.cleaned_data.get("event_id") or \
            self._newest(definition)
        if event_id is None:
            raise errors.NotFound(_t(
                "there is no event to try it on"), status=404)
        return trials.tested(self.client.triggers.test(
            trigger=definition, event_id=event_id))

    def _newest(self, definition: dict[str, Any]) -> str | None:
        """Return the newest event of a type that the trigger names."""
        wanted: list[str] = []
        for one in [definition.get(name) for name in (
                "pattern", "end", "expect", "start")] + [
                step.get("pattern") for step in definition.get("steps", ())
                if isinstance(step, dict)]:
            if isinstance(one, dict):
                wanted += trials.types(one)
        found = next(iter(self.client.events.list(
            limit=1, page_size=1, event_type=[
                search.pattern(one) for one in wanted])), None)
        return found and found["event_id"]

    def _backtest(self, form, definition: dict[str, Any]):
        span = forms.SPANS[form.cleaned_data.get("span") or "7d"]
        found = self.client.triggers.begin_backtest(
            trigger=definition, wait=_WAIT, limit_firings=trials.SHOWN,
            since=timezone.now() - datetime.timedelta(seconds=span))
        if found["status"] != "finished":
            return shortcuts.redirect(f"{_PANEL}:backtest", found["id"])
        return self.render(form, backtest=trials.backtest(found))

    def render(self, form, **more: Any):
        return super().render(
            form, fields_url=reverse(f"{_PANEL}:fields"),
            may_backtest=policy.check((("event", "triggers:backtest"),),
                                      self.request), **more)


class CreateView(Draft):
    """A new trigger: of a kind, after a template, or for an event."""

    page_title = _("Create Trigger")

    def beginning(self) -> Mapping[str, Any]:
        asked = self.request.GET
        if asked.get("template"):
            found = self.attempt(lambda: self.client.triggers.template(
                asked["template"])["definition"], None)
            if found is not None:
                return found
        kind = asked.get("kind")
        found = {"kind": kind if kind in rules.SLOTS else "match"}
        if asked.get("event_id"):
            event = self.attempt(lambda: self.client.events.get(
                asked["event_id"]), None)
            if event is not None:
                found["pattern"] = {"event_type": [event["event_type"]]}
        if found["kind"] != "match":
            found["group_by"] = ["resource_id"]
        return found

    def _form_of(self, definition: Mapping[str, Any], as_json: bool):
        if as_json or set(definition) - {"kind", "group_by"}:
            return super()._form_of(definition, as_json)
        return self._fields(definition["kind"], definition)

    def save(self, form, definition: dict[str, Any] | None = None):
        made = self.client.triggers.create(definition)
        messages.success(self.request, _t("%s is made. It sees what happens "
                                          "from now on.") % made["name"])
        return shortcuts.redirect(f"{_PANEL}:detail", made["id"])


class UpdateView(Draft):
    """Changes one."""

    page_title = _("Change Trigger")

    def find(self, trigger_id: str) -> dict[str, Any]:
        return self.client.triggers.get(trigger_id)

    def beginning(self) -> Mapping[str, Any]:
        return self.thing

    def save(self, form, definition: dict[str, Any] | None = None):
        self.client.triggers.update(
            self.thing["id"],
            rules.difference(rules.definition(self.thing), definition),
            revision=self.revision)
        messages.success(self.request, _t("The change is made."))
        return shortcuts.redirect(f"{_PANEL}:detail", self.thing["id"])
