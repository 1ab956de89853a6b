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

"""The pages of Project → Events for all projects, and the services."""

from collections.abc import Mapping
import functools
from typing import Any

from django import shortcuts
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from horizon import messages
from openstack_dashboard import policy

from monasca_events_dashboard import page
from monasca_events_dashboard import presentation
from monasca_events_dashboard import projects
from monasca_events_dashboard.events import views

PANEL = "horizon:admin:events"

#: State of a service → how it looks.
_LEVELS: Mapping[str, str] = {"down": "error", "stopped": "error",
                              "unknown": "warning"}


class _AllProjects:
    """Makes a page of a project's one of all projects."""

    panel = PANEL
    all_projects = True

    @functools.cached_property
    def project_names(self) -> dict[str, str]:
        return projects.names(self.request)


class IndexView(_AllProjects, views.IndexView):
    """Events of all projects, or of one."""

    template_name = "monasca_events/operations/index.html"

    @property
    def scope(self) -> dict[str, Any]:
        chosen = self.form.cleaned_data.get("project_id") \
            if self.form.is_valid() else None
        return {} if chosen else super().scope

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context.update(project_names=self.project_names, here="events")
        return context


class TypesView(_AllProjects, views.TypesView):
    """Event types of all projects."""


class DetailView(_AllProjects, views.DetailView):
    """One event of any project."""

    def get_context_data(self, event_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        context = super().get_context_data(event_id, **kwargs)
        context["project_name"] = self.project_names.get(
            context["event"].project_id)
        return context


class TimelineView(_AllProjects, views.TimelineView):
    """A timeline through all projects."""


class ServicesView(page.Page):
    """Who consumes the bus and how far behind, and what stands still."""

    template_name = "monasca_events/operations/services.html"
    page_title = _("Services")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = self.attempt(self.client.services.list,
                             {"services": [], "parts": {}, "errors": {}})
        context = super().get_context_data(**kwargs)
        context.update(
            services=[self._shown(one) for one in found["services"]],
            parts=[(name, one["ok"], one["detail"])
                   for name, one in found["parts"].items()],
            errors=list(found["errors"].items()), here="services",
            may_resume=policy.check((("event", "services:resume"),),
                                    self.request))
        return context

    @staticmethod
    def _shown(one: dict[str, Any]) -> dict[str, Any]:
        lag = one.get("lag") or {}
        return {
            "name": one["name"], "state": one["state"],
            "level": _LEVELS.get(one["state"], ""),
            "members": one.get("members") or [], "lag": lag.get("records"),
            "partitions": [(name, count) for name, count in sorted(
                (lag.get("partitions") or {}).items(),
                key=lambda pair: (len(pair[0]), pair[0]))],
            "reason": (one.get("breaker") or {}).get("reason"),
            "tripped_at": presentation.moment(
                (one.get("breaker") or {}).get("tripped_at")),
            "dead": sum((one.get("dead_letters") or {}).values())}


class ResumeView(page.Deed):
    """Lets a service go on whose breaker tripped."""

    def do(self, name: str):
        self.client.services.resume(name)
        messages.success(self.request, _t("%s goes on.") % name)
        return shortcuts.redirect(f"{PANEL}:services")

    def back(self, name: str) -> str:
        return reverse(f"{PANEL}:services")
