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

"""Pages about events."""

import dataclasses
import datetime
import functools
from typing import Any
from urllib.parse import quote

from django import http
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views import generic
from horizon.utils import functions as settings
from openstack_dashboard import policy

from monasca_events_client import errors
from monasca_events_dashboard import charts
from monasca_events_dashboard import faults
from monasca_events_dashboard import histogram
from monasca_events_dashboard import page
from monasca_events_dashboard import presentation
from monasca_events_dashboard import resources
from monasca_events_dashboard import search
from monasca_events_dashboard import timelines
from monasca_events_dashboard.events import forms
from monasca_events_dashboard.events import rows

#: Event types that the form suggests at most.
_SUGGESTED = 300

_PANEL = "horizon:project:events"


class IndexView(page.Page):
    """A list with filters, and how many there were when."""

    template_name = "monasca_events/events/index.html"
    page_title = _("Events")
    panel = _PANEL

    @functools.cached_property
    def form(self) -> forms.FilterForm:
        form = forms.FilterForm(self.request.GET)
        if not self.all_projects:
            del form.fields["project_id"]
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        asked = self.form.search(now)
        fixed = asked.fixed(now)
        marker = self.request.GET.get("marker", "")
        events, following, chart = [], None, None
        if not self.form.errors:
            events, following = self.attempt(
                lambda: self._page(fixed, marker), ([], None))
            # Where the list cannot be had neither can this.
            chart = None if self.problems or marker else self._chart(fixed)
        context = super().get_context_data(**kwargs)
        context.update(
            form=self.form, chart=chart, marker=marker, panel=self.panel,
            events=[presentation.shown(one) for one in events],
            next_url=following and self._url(fixed, following),
            first_url=marker and self._url(fixed),
            index_url=reverse(f"{self.panel}:index"),
            types_url=reverse(f"{self.panel}:types"),
            all_projects=self.all_projects)
        return context

    def _page(self, asked: search.Search, marker: str
              ) -> tuple[list[dict[str, Any]], str | None]:
        size = settings.get_page_size(self.request)
        found = self.client.events.list(
            limit=size, page_size=size, sort=asked.sort(),
            marker=marker or None, **asked.filters(), **self.scope)
        return list(found), found.marker

    def _url(self, asked: search.Search, marker: str = "") -> str:
        query = asked.query()
        if marker:
            query += "&" + search.encode({"marker": marker})
        return f"{reverse(f'{self.panel}:index')}?{query}"

    def _chart(self, asked: search.Search) -> dict[str, Any] | None:
        since = asked.since or self.attempt(
            lambda: self._first(asked), None)
        if since is None or since >= asked.until:
            return None
        width = histogram.width(since, asked.until)
        # The API counts from further back where it is told no beginning.
        within = dataclasses.replace(asked, since=since)
        found = self.attempt(lambda: self.client.events.statistics(
            interval=width, by="priority", **within.filters(), **self.scope),
            None)
        if found is None:
            return None
        bars = histogram.bars(found, since, asked.until, histogram.levels)
        return charts.chart(
            bars, _("Events"),
            {"errors": _("Errors"), "warnings": _("Warnings")},
            lambda bar: self._url(self._within(asked, bar, since)))

    def _first(self, asked: search.Search) -> datetime.datetime | None:
        """Return the time of the first event that the question finds."""
        found = next(iter(self.client.events.list(
            limit=1, page_size=1, sort="timestamp:asc", **asked.filters(),
            **self.scope)), None)
        return found and datetime.datetime.fromisoformat(found["timestamp"])

    @staticmethod
    def _within(asked: search.Search, bar: histogram.Bar,
                since: datetime.datetime) -> search.Search:
        """Return the question narrowed to one bar."""
        return asked.between(max(bar.start, since), min(bar.end, asked.until))


class TypesView(page.Asking, generic.View):
    """The event types that there are, for the form to suggest; JSON."""

    def get(self, request) -> http.HttpResponse:
        since = timezone.now() - datetime.timedelta(days=30)
        try:
            found = self.client.events.types(since=since, **self.scope)
        except errors.ClientError as error:
            # Nobody misses a suggestion.
            return http.JsonResponse(
                {"types": [], "problem": faults.explain(error)})
        return http.JsonResponse({"types": [
            one["event_type"] for one in found["types"][:_SUGGESTED]]})


class DetailView(page.About):
    """One event: what it says, and the way to what it names."""

    template_name = "monasca_events/events/detail.html"
    page_title = "{% load event_text %}{{ event.type|visible }}"
    panel = _PANEL

    @property
    def index_url(self) -> str:
        return f"{self.panel}:index"

    def get_context_data(self, event_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        found = self.client.events.get(event_id, **self.scope)
        context = super().get_context_data(**kwargs)
        context.update(
            event=presentation.shown(found), panel=self.panel, fields=found,
            # As pairs: in a template a name might be a method's.
            traits=presentation.pairs(found.get("traits")),
            dimensions=presentation.pairs(found.get("dimensions")),
            marks=presentation.pairs(found.get("marks")),
            received=presentation.moment(found.get("received_at")),
            payload=presentation.pretty(found.get("payload") or {}),
            whole=presentation.pretty(found), all_projects=self.all_projects,
            may_trigger=not self.all_projects and policy.check(
                (("event", "triggers:create"),), self.request),
            resource_url=resources.page_url(
                self.request, found.get("resource_type"),
                found.get("resource_id")))
        return context


class TimelineView(page.Page):
    """Everything about one resource or one request on one axis."""

    template_name = "monasca_events/events/timeline.html"
    page_title = _("Timeline")
    panel = _PANEL

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        form = forms.TimelineForm(self.request.GET or None)
        found: dict[str, Any] | None = None
        if form.is_valid():
            found = self.attempt(lambda: self.client.timeline(
                **form.asked(), **self.scope), None)
        axis = found and timelines.axis(found, now)
        context = super().get_context_data(**kwargs)
        context.update(
            form=form, found=found, axis=axis, panel=self.panel,
            subject=form.is_valid() and (form.cleaned_data["resource_id"]
                                         or form.cleaned_data["request_id"]),
            metrics=timelines.metrics(found) if found else [],
            failures=timelines.failures(found) if found else [],
            rows=axis and self._rows(axis, found),
            resource_url=found and self._resource_url(found),
            all_projects=self.all_projects)
        return context

    def _rows(self, axis: timelines.Axis, found: dict[str, Any]) -> str:
        # What stands around an id in an address, for thousands of them.
        before, _id, after = reverse(f"{self.panel}:detail",
                                     args=["ID"]).rpartition("ID")
        return rows.html(axis.entries, rows.Surroundings(
            found.get("resource_id") or found.get("request_id") or "",
            lambda ident: f"{before}{quote(ident, safe='')}{after}",
            None if self.all_projects else lambda trigger_id, firing_id:
            reverse("horizon:project:event_triggers:firing",
                    args=[trigger_id, firing_id]),
            bool(found["since"] or found["truncated"])))

    def _resource_url(self, found: dict[str, Any]) -> str | None:
        """Return Horizon's own page of what the timeline is about."""
        ident = found.get("resource_id")
        return next((resources.page_url(
            self.request, one.get("resource_type"), ident)
            for one in found["events"]
            if ident and one.get("resource_id") == ident), None)
