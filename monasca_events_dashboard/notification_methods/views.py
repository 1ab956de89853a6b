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

"""Pages about notification methods."""

from typing import Any

from django import shortcuts
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from horizon import messages
from openstack_dashboard import policy

from monasca_events_client import errors
from monasca_events_dashboard import page
from monasca_events_dashboard import presentation
from monasca_events_dashboard.notification_methods import forms

_PANEL = "horizon:project:event_methods"
_INDEX = f"{_PANEL}:index"


def _allowed(request) -> dict[str, bool]:
    """Return what who asks may do, for buttons to be there or not."""
    return {name: policy.check(
        (("event", f"notification_methods:{name}"),), request)
        for name in ("create", "update", "delete", "test", "rotate")}


class IndexView(page.Page):
    """All methods of the project."""

    template_name = "monasca_events/notification_methods/index.html"
    page_title = _("Notification Methods")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = self.attempt(
            lambda: list(self.client.notification_methods.list()), [])
        context = super().get_context_data(**kwargs)
        context.update(methods=found, may=_allowed(self.request))
        return context


class DetailView(page.About):
    """One method, and what it delivered."""

    template_name = "monasca_events/notification_methods/detail.html"
    page_title = "{% load event_text %}{{ method.name|visible }}"
    index_url = _INDEX

    #: Deliveries that are shown.
    _SHOWN = 50

    def get_context_data(self, method_id: str, **kwargs: Any
                         ) -> dict[str, Any]:
        client = self.client.notification_methods
        found = client.get(method_id)
        deliveries = self.attempt(lambda: list(client.deliveries(
            method_id, limit=self._SHOWN, page_size=self._SHOWN)), [])
        context = super().get_context_data(**kwargs)
        context.update(
            method=found, may=_allowed(self.request),
            settings=presentation.pairs(found.get("settings")),
            deliveries=[presentation.delivery(one) for one in deliveries])
        return context


class _Form(page.FormPage):
    """The form of one method."""

    template_name = "monasca_events/notification_methods/form.html"
    cancel_url = _INDEX

    def make_form(self, data: Any = None) -> forms.MethodForm:
        operator = policy.check(
            (("event", "notification_methods:operator_types"),),
            self.request)
        return forms.MethodForm(data, operator=operator, method=self.thing)


class CreateView(_Form):
    """A new method. Its secret is shown on the page that answers."""

    page_title = _("Create Notification Method")

    def save(self, form: forms.MethodForm):
        made = self.client.notification_methods.create(form.definition())
        messages.success(self.request, _t("%s was made.") % made["name"])
        return _shown_once(self.request, made)


class UpdateView(_Form):
    """Changes one."""

    page_title = _("Change Notification Method")

    def find(self, method_id: str) -> dict[str, Any]:
        return self.client.notification_methods.get(method_id)

    def save(self, form: forms.MethodForm):
        self.client.notification_methods.update(
            self.thing["id"], form.definition(), revision=self.revision)
        messages.success(self.request, _t("The change is made."))
        return shortcuts.redirect(f"{_PANEL}:detail", self.thing["id"])


class TestView(page.Deed):
    """Sends a test."""

    def do(self, method_id: str):
        self.client.notification_methods.test(method_id)
        messages.success(self.request, _t(
            "A test is on its way. What became of it is listed below in a "
            "moment."))
        return shortcuts.redirect(f"{_PANEL}:detail", method_id)

    def back(self, method_id: str) -> str:
        return reverse(f"{_PANEL}:detail", args=[method_id])


class RotateView(TestView):
    """Makes another signing key, and shows it on the page that answers."""

    def do(self, method_id: str):
        made = self.client.notification_methods.rotate(method_id)
        return _shown_once(self.request, made)


class DeleteView(page.Deletion):
    """Asks, and deletes; also out of triggers that name it, if it is said."""

    page_title = _("Delete Notification Method")
    index_url = _INDEX
    cancel_url = _INDEX

    def find(self, method_id: str) -> dict[str, Any]:
        return self.client.notification_methods.get(method_id)

    def delete(self, thing: dict[str, Any]) -> None:
        try:
            self.client.notification_methods.delete(
                thing["id"], force="force" in self.request.POST)
        except errors.Conflict as error:
            if error.code != "in_use":
                raise
            raise page.Asks(
                _t("%(count)d triggers tell this method. If it goes, they "
                   "no longer do.")
                % {"count": len(error.details.get("triggers", ()))},
                "force", _t("Take it out of them and delete it"))


def _shown_once(request, method: dict[str, Any]):
    """Return the page that shows a method's secret: it is in no session, no
    address and no cache."""
    if not method.get("secret"):
        return shortcuts.redirect(f"{_PANEL}:detail", method["id"])
    found = shortcuts.render(
        request, "monasca_events/notification_methods/secret.html",
        {"method": method, "page_title": _t("Signing key")})
    found["Cache-Control"] = "no-store"
    return found
