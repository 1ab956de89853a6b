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

"""Pages about triggers that are there."""

import datetime
from typing import Any

from django import http
from django import shortcuts
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views import generic
from horizon import messages
from openstack_dashboard import policy

from monasca_events_client import errors
from monasca_events_dashboard import faults
from monasca_events_dashboard import page
from monasca_events_dashboard import presentation
from monasca_events_dashboard import rules
from monasca_events_dashboard.triggers import forms
from monasca_events_dashboard.triggers import trials
from monasca_events_dashboard.triggers import wording

_PANEL = "horizon:project:event_triggers"
_INDEX = f"{_PANEL}:index"

#: Fields of every event that a condition may name.
_FIELDS = ("resource_id", "resource_type", "priority", "publisher_id",
           "source", "user_id", "request_id", "domain_id")


def allowed(request) -> dict[str, bool]:
    """Return what who asks may do, for buttons to be there or not."""
    return {name: policy.check((("event", f"triggers:{name}"),), request)
            for name in ("create", "update", "delete", "backtest",
                         "explain")}


class IndexView(page.Page):
    """All triggers of the project."""

    template_name = "monasca_events/triggers/index.html"
    page_title = _("Triggers")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = self.attempt(lambda: list(self.client.triggers.list()), [])
        context = super().get_context_data(**kwargs)
        context.update(
            may=allowed(self.request), triggers=[
                {**one, "kind_label": wording.KINDS.get(
                    one["kind"], (one["kind"],))[0],
                 "severity_label": wording.SEVERITIES.get(
                     one["severity"], one["severity"])} for one in found])
        return context


class ChooseView(page.Page):
    """Which kind of trigger, or after which template."""

    template_name = "monasca_events/triggers/choose.html"
    page_title = _("Create Trigger")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        templates = self.attempt(
            lambda: list(self.client.triggers.templates()), [])
        context = super().get_context_data(**kwargs)
        context.update(templates=templates, kinds=[
            {"name": name, "label": label, "description": description,
             "json": name not in rules.SLOTS}
            for name, (label, description) in wording.KINDS.items()])
        return context


class FieldsView(page.Asking, generic.View):
    """Names that a condition may have, for the form to suggest; JSON."""

    def get(self, request) -> http.HttpResponse:
        found = [*_FIELDS]
        try:
            found += [f"traits.{one['name']}" for one
                      in self.client.events.traits()["traits"]]
        except errors.ClientError as error:
            # Nobody misses a suggestion.
            return http.JsonResponse(
                {"names": found, "problem": faults.explain(error)})
        return http.JsonResponse({"names": found})


class DetailView(page.About):
    """One trigger: what it says and what it did."""

    template_name = "monasca_events/triggers/detail.html"
    page_title = "{% load event_text %}{{ trigger.name|visible }}"
    index_url = _INDEX

    #: Firings that are shown.
    _SHOWN = 20

    def get_context_data(self, trigger_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        found = self.client.triggers.get(trigger_id)
        firings = self.attempt(lambda: list(self.client.triggers.firings(
            trigger_id, limit=self._SHOWN, page_size=self._SHOWN)), [])
        methods = {one["id"]: one["name"] for one in self.attempt(
            lambda: list(self.client.notification_methods.list()), [])}
        context = super().get_context_data(**kwargs)
        context.update(
            trigger=found, may=allowed(self.request),
            kind=wording.KINDS.get(found["kind"], (found["kind"],))[0],
            severity=wording.SEVERITIES.get(found["severity"],
                                            found["severity"]),
            group_by=", ".join(found["group_by"]),
            told=[(wording.OUTCOMES.get(outcome, outcome),
                   [(one, methods.get(one, one)) for one in ids])
                  for outcome, ids in found["notify"].items() if ids],
            definition=presentation.pretty(rules.definition(found)),
            firings=[trials.firing(one) for one in firings],
            spans=forms.TrialForm()["span"],
            more_url=f"{reverse(f'{_PANEL}:firings')}?trigger_id={trigger_id}"
            if len(firings) == self._SHOWN else None)
        return context

    def post(self, request, trigger_id: str) -> http.HttpResponse:
        """Begin a back-test."""
        span = forms.SPANS.get(request.POST.get("span"), forms.SPANS["7d"])
        try:
            found = self.client.triggers.begin_backtest(
                trigger_id=trigger_id, limit_firings=trials.SHOWN,
                since=timezone.now() - datetime.timedelta(seconds=span))
        except errors.ClientError as error:
            faults.raise_if_expired(error)
            messages.error(request, faults.explain(error))
            return shortcuts.redirect(f"{_PANEL}:detail", trigger_id)
        return shortcuts.redirect(f"{_PANEL}:backtest", found["id"])


class SwitchView(page.Deed):
    """Enables a trigger, or disables it."""

    def do(self, trigger_id: str) -> http.HttpResponse:
        enabled = self.request.POST.get("enabled") == "true"
        made = self.client.triggers.update(trigger_id, {"enabled": enabled})
        messages.success(
            self.request, (_t("%s is enabled.") if enabled
                           else _t("%s is disabled.")) % made["name"])
        return shortcuts.redirect(_INDEX)

    def back(self, trigger_id: str) -> str:
        return reverse(_INDEX)


class DeleteView(page.Deletion):
    """Asks, and deletes."""

    page_title = _("Delete Trigger")
    index_url = _INDEX
    cancel_url = _INDEX

    def find(self, trigger_id: str) -> dict[str, Any]:
        return self.client.triggers.get(trigger_id)

    def delete(self, thing: dict[str, Any]) -> None:
        self.client.triggers.delete(thing["id"])


class BacktestView(page.About):
    """How far a back-test is, or what it found."""

    template_name = "monasca_events/triggers/backtest.html"
    page_title = _("Back-test")
    index_url = _INDEX

    def get_context_data(self, backtest_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        found = self.client.triggers.get_backtest(backtest_id)
        context = super().get_context_data(**kwargs)
        context.update(
            backtest=trials.backtest(found), trigger_id=found["trigger_id"],
            running=found["status"] in ("queued", "running"))
        return context

    def post(self, request, backtest_id: str) -> http.HttpResponse:
        """Cancel it."""
        try:
            self.client.triggers.cancel_backtest(backtest_id)
        except errors.ClientError as error:
            faults.raise_if_expired(error)
            messages.error(request, faults.explain(error))
        return shortcuts.redirect(_INDEX)


class ExplainView(page.About):
    """Why a trigger did or did not fire for an event."""

    template_name = "monasca_events/triggers/explain.html"
    page_title = _("Why, and Why Not")
    index_url = _INDEX

    def get_context_data(self, trigger_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        event_id = self.request.GET.get("event_id", "").strip()
        trigger = self.client.triggers.get(trigger_id)
        found = self.attempt(lambda: self.client.triggers.explain(
            trigger_id, event_id), None) if event_id else None
        context = super().get_context_data(**kwargs)
        context.update(
            trigger=trigger, event_id=event_id, found=found,
            slots=[{"name": wording.SLOTS.get(one["slot"], one["slot"]),
                    "matches": one["matches"],
                    "text": (one.get("mismatch") or {}).get("text", "")}
                   for one in (found or {}).get("slots", ())],
            firings=[trials.firing(one)
                     for one in (found or {}).get("firings", ())])
        return context
