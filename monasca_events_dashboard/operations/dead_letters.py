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

"""Pages about what could not become an event."""

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
from monasca_events_dashboard.operations.views import PANEL

_INDEX = f"{PANEL}:dead_letters"

_FILTERS = ("stage", "code", "project_id")


def _allowed(request) -> dict[str, bool]:
    return {name: policy.check((("event", f"dead_letters:{name}"),), request)
            for name in ("replay", "purge")}


def _filters(given: http.QueryDict) -> dict[str, str]:
    return {name: given.get(name, "").strip() for name in _FILTERS}


class IndexView(page.Page):
    """Dead letters, oldest first."""

    template_name = "monasca_events/operations/dead_letters.html"
    page_title = _("Dead Letters")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        filters = _filters(self.request.GET)
        marker = self.request.GET.get("marker", "")
        found, following = self.attempt(
            lambda: self._page(filters, marker), ([], None))
        context = super().get_context_data(**kwargs)
        context.update(
            letters=[_shown(one) for one in found], filters=filters,
            may=_allowed(self.request), here="dead_letters",
            next_url=following and "?" + search.encode(
                {**filters, "marker": following}),
            first_url=marker and "?" + search.encode(filters))
        return context

    def _page(self, filters: dict[str, str], marker: str
              ) -> tuple[list[dict[str, Any]], str | None]:
        size = settings.get_page_size(self.request)
        found = self.client.dead_letters.list(
            limit=size, page_size=size, marker=marker or None,
            **{name: value or None for name, value in filters.items()})
        return list(found), found.marker


class DetailView(page.About):
    """One, with its bytes."""

    template_name = "monasca_events/operations/dead_letter.html"
    page_title = _("Dead Letter {{ letter.id }}")
    index_url = _INDEX

    def get_context_data(self, letter_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        found = self.client.dead_letters.get(int(letter_id))
        context = super().get_context_data(**kwargs)
        context.update(
            letter=_shown(found), size=found.get("size"),
            raw=presentation.visible(found.get("raw") or ""),
            headers=presentation.pairs(found.get("headers")),
            may=_allowed(self.request))
        return context


class ReplayView(page.Deed):
    """Sends one on its way again."""

    def do(self, letter_id: str) -> http.HttpResponse:
        _tell(self.request, self.client.dead_letters.replay([int(letter_id)]))
        return shortcuts.redirect(_INDEX)

    def back(self, letter_id: str) -> str:
        return reverse(_INDEX)


class ReplayAllView(page.Deed):
    """Sends all that some filters find on their way again."""

    def do(self) -> http.HttpResponse:
        filters = _filters(self.request.POST)
        _tell(self.request, self.client.dead_letters.replay(
            **{name: value or None for name, value in filters.items()}))
        return shortcuts.redirect(
            f"{reverse(_INDEX)}?{search.encode(filters)}")

    def back(self) -> str:
        return reverse(_INDEX)


class DeleteView(page.Deletion):
    """Asks, and forgets one."""

    page_title = _("Forget Dead Letter")
    index_url = _INDEX
    cancel_url = _INDEX

    def find(self, letter_id: str) -> dict[str, Any]:
        found = self.client.dead_letters.get(int(letter_id))
        return {**found, "name": _t("Dead letter %d") % found["id"]}

    def delete(self, thing: dict[str, Any]) -> None:
        for _answer in self.client.dead_letters.purge([thing["id"]]):
            pass


def _tell(request, answers: Any) -> None:
    """Say what became of dead letters that were sent again."""
    replayed, failed, left = 0, [], 0
    for one in answers:
        replayed += one["replayed"]
        failed += one["failed"]
        left += len(one["left"])
    if replayed:
        messages.success(request, _t("Sent on their way again: %d.")
                         % replayed)
    if failed:
        messages.error(request, _t(
            "Still refused: %(count)d; the first one: %(why)s.")
            % {"count": len(failed),
               "why": failed[0]["message"].rstrip(".")})
    if left:
        messages.warning(request, _t(
            "Where they go to went away; not tried: %d.") % left)
    if not (replayed or failed or left):
        messages.info(request, _t("There was none."))


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "first_at": presentation.moment(found.get("first_at")),
            "last_at": presentation.moment(found.get("last_at"))}
