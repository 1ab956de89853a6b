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

from django import shortcuts
from horizon import messages
from horizon import views

from monasca_events_client import Client
from monasca_events_client import errors
from monasca_events_dashboard import connection
from monasca_events_dashboard import faults

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
            faults.raise_if_expired(error)
            messages.error(request, faults.explain(error))
            return shortcuts.redirect(self.index_url)
