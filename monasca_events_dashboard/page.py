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

"""What all pages have: the client, and what happens when it fails."""

from collections.abc import Callable
import functools
from typing import Any, TypeVar

from django import http
from django import shortcuts
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import generic
from horizon import messages
from horizon import views

from monasca_events_client import Client
from monasca_events_client import errors
from monasca_events_dashboard import connection
from monasca_events_dashboard import faults
from monasca_events_dashboard import fields

_Found = TypeVar("_Found")


class Asking:
    """A view that asks the event service; mixed into Django's.

    :ivar problems: sentences that the page shows in place of what failed
    """

    #: Whether it is about all projects: an administrator's page.
    all_projects = False

    @functools.cached_property
    def client(self) -> Client:
        return connection.connect(self.request)

    @functools.cached_property
    def problems(self) -> list[str]:
        return []

    @property
    def scope(self) -> dict[str, Any]:
        """The client's arguments that say whose things are meant."""
        return {"all_projects": True} if self.all_projects else {}

    def attempt(self, ask: Callable[[], _Found],
                default: _Found) -> _Found:
        """Return what ``ask`` returns; where it fails, ``default``, and the
        page says why."""
        try:
            return ask()
        except errors.ClientError as error:
            faults.raise_if_expired(error)
            self.problems.append(faults.explain(error))
            return default


class Page(Asking, views.HorizonTemplateView):
    """A page that shows something."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["problems"] = self.problems
        return context


class About(Page):
    """A page about one thing, which may be gone by now."""

    #: Name of the address to go to then.
    index_url: str

    def get(self, request, *args: Any, **kwargs: Any):
        try:
            return super().get(request, *args, **kwargs)
        except errors.ClientError as error:
            return _elsewhere(request, error, self.index_url)


class FormPage(Asking, views.HorizonTemplateView):
    """A page with a form about one thing, which may be there already.

    :ivar thing: what is changed, None where it is made
    """

    thing: dict[str, Any] | None = None

    #: Name of the address that cancelling leads to.
    cancel_url: str

    def find(self, **kwargs: str) -> dict[str, Any] | None:
        """Return what is changed."""
        return None

    def make_form(self, data: Any = None) -> fields.Form:
        raise NotImplementedError

    def save(self, form: fields.Form) -> http.HttpResponse:
        """Return where it leads that what was filled in is done."""
        raise NotImplementedError

    @property
    def revision(self) -> int | None:
        """Return the revision that the form was filled with."""
        text = self.request.POST.get("revision", "")
        return int(text) if text.isdecimal() else None

    def dispatch(self, request, *args: Any, **kwargs: str):
        try:
            self.thing = self.find(**kwargs)
        except errors.ClientError as error:
            return _elsewhere(request, error, self.cancel_url)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request, *args: Any, **kwargs: str):
        return self.render(self.make_form())

    def post(self, request, *args: Any, **kwargs: str):
        form = self.make_form(request.POST)
        if form.is_valid():
            try:
                return self.save(form)
            except errors.ClientError as error:
                form.blame(error)
        return self.render(form)

    def render(self, form: fields.Form, **more: Any) -> http.HttpResponse:
        """Return the page with a form."""
        context = self.get_context_data(
            form=form, thing=self.thing, problems=self.problems,
            cancel_url=reverse(self.cancel_url), **more)
        return self.render_to_response(context)


class Deed(Asking, generic.View):
    """A button: does one thing and goes on to a page that tells."""

    http_method_names = ("post",)

    def do(self, **kwargs: str) -> http.HttpResponse:
        """Do it and return where to go."""
        raise NotImplementedError

    def back(self, **kwargs: str) -> str:
        """Return where to go when it failed."""
        raise NotImplementedError

    def post(self, request, **kwargs: str):
        try:
            return self.do(**kwargs)
        except errors.ClientError as error:
            return _elsewhere(request, error, self.back(**kwargs))


class Asks(Exception):
    """A deletion that needs a second word.

    :ivar name: of the button that says it
    """

    def __init__(self, message: str, name: str, label: str) -> None:
        super().__init__(message)
        self.message, self.name, self.label = message, name, label


class Deletion(Asking, views.HorizonTemplateView):
    """Asks whether something shall be deleted, and deletes it."""

    template_name = "monasca_events/delete.html"

    #: Names of the addresses to go to afterwards, and when it is not done.
    index_url: str
    cancel_url: str

    def find(self, **kwargs: str) -> dict[str, Any]:
        """Return what would be deleted."""
        raise NotImplementedError

    def delete(self, thing: dict[str, Any]) -> None:
        """Delete it. Raises Asks where more must be said."""
        raise NotImplementedError

    def get(self, request, *args: Any, **kwargs: str):
        try:
            return self._render(self.find(**kwargs))
        except errors.ClientError as error:
            return _elsewhere(request, error, self.index_url)

    def post(self, request, *args: Any, **kwargs: str):
        try:
            thing = self.find(**kwargs)
            self.delete(thing)
        except Asks as question:
            return self._render(thing, question)
        except errors.ClientError as error:
            return _elsewhere(request, error, self.index_url)
        messages.success(request, _("%s is deleted.") % thing["name"])
        return shortcuts.redirect(self.index_url)

    def _render(self, thing: dict[str, Any], question: Asks | None = None
                ) -> http.HttpResponse:
        return self.render_to_response(self.get_context_data(
            thing=thing, question=question,
            cancel_url=reverse(self.cancel_url)))


def _elsewhere(request, error: errors.ClientError, url: str
               ) -> http.HttpResponse:
    """Return the way to another page, which shows what went wrong."""
    faults.raise_if_expired(error)
    messages.error(request, faults.explain(error))
    return shortcuts.redirect(url)
