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

"""Pages about what triggers did."""

from typing import Any

from django import http
from django import shortcuts
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from horizon import messages
from horizon.utils import functions as settings
from openstack_dashboard import policy

from monasca_events_dashboard import page
from monasca_events_dashboard import presentation
from monasca_events_dashboard import search
from monasca_events_dashboard.triggers import trials
from monasca_events_dashboard.triggers import wording

_PANEL = "horizon:project:event_triggers"
_INDEX = f"{_PANEL}:firings"


class IndexView(page.Page):
    """What all triggers did, or one, the latest first."""

    template_name = "monasca_events/triggers/firings.html"
    page_title = _("Firings")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = self.request.GET
        filters = {name: asked.get(name, "")
                   for name in ("trigger_id", "outcome")}
        marker = asked.get("marker", "")
        found, following = self.attempt(
            lambda: self._page(filters, marker), ([], None))
        context = super().get_context_data(**kwargs)
        context.update(
            firings=[trials.firing(one) for one in found], **filters,
            outcomes=wording.OUTCOMES.items(),
            next_url=following and "?" + search.encode(
                {**filters, "marker": following}),
            first_url=marker and "?" + search.encode(filters))
        return context

    def _page(self, filters: dict[str, str], marker: str
              ) -> tuple[list[dict[str, Any]], str | None]:
        size = settings.get_page_size(self.request)
        found = self.client.firings.list(
            limit=size, page_size=size, marker=marker or None,
            **{name: value or None for name, value in filters.items()})
        return list(found), found.marker


class DetailView(page.About):
    """One firing: why, by which events, and who was told."""

    template_name = "monasca_events/triggers/firing.html"
    page_title = "{% load event_text %}{{ firing.trigger_name|visible }}"
    index_url = _INDEX

    def get_context_data(self, trigger_id: str, firing_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        found = self.client.firings.get(trigger_id, firing_id)
        context = super().get_context_data(**kwargs)
        shown = trials.firing(found)
        context.update(
            firing=shown, deliveries=shown["deliveries"],
            event=found.get("event") and presentation.shown(found["event"]),
            value=presentation.pairs(found.get("values")) or (
                found.get("value") is not None
                and [("value", found["value"])] or []),
            given_up=any(one.again and one.status != "delivered"
                         for one in shown["deliveries"]),
            waits=any(one.waits for one in shown["deliveries"]),
            may={name: policy.check((("event", f"firings:{name}"),),
                                    self.request)
                 for name in ("redeliver", "cancel")})
        return context


class RedeliverView(page.Deed):
    """Has deliveries tried again: one, or all that were given up."""

    def do(self, trigger_id: str, firing_id: str) -> http.HttpResponse:
        chosen = self.request.POST.get("delivery_id")
        found = self.client.firings.redeliver(
            trigger_id, firing_id, [chosen] if chosen else None)
        if found:
            messages.success(self.request, _t(
                "It is being delivered again. Look again in a moment."))
        else:
            messages.info(self.request, _t("There is nothing to deliver."))
        return shortcuts.redirect(f"{_PANEL}:firing", trigger_id, firing_id)

    def back(self, trigger_id: str, firing_id: str) -> str:
        return reverse(f"{_PANEL}:firing", args=[trigger_id, firing_id])


class CancelView(RedeliverView):
    """Leaves undone what still waits."""

    def do(self, trigger_id: str, firing_id: str) -> http.HttpResponse:
        self.client.firings.cancel(trigger_id, firing_id)
        messages.success(self.request, _t("What waited is cancelled."))
        return shortcuts.redirect(f"{_PANEL}:firing", trigger_id, firing_id)
