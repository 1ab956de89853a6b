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

"""The form above a list of events. It is sent by GET: an address can be kept.
"""

import datetime
from typing import Any

from django import forms
from django import http
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from monasca_events_dashboard import search

_RANGES = (
    ("1h", _("Last hour")), ("24h", _("Last 24 hours")),
    ("7d", _("Last 7 days")), ("30d", _("Last 30 days")),
    ("all", _("Any time")), (search.BETWEEN, _("Between …")))

_PRIORITIES = (("", _("Any")), ("INFO", "INFO"), ("WARN", "WARN"),
               ("ERROR", "ERROR"), ("CRITICAL", "CRITICAL"),
               ("DEBUG", "DEBUG"), ("AUDIT", "AUDIT"), ("SAMPLE", "SAMPLE"))


def _moment(label: str) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label, required=False, widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M:%S",
            attrs={"type": "datetime-local", "step": "1"}))


def _text(label: str, **attrs: str) -> forms.CharField:
    return forms.CharField(label=label, required=False, max_length=1024,
                           widget=forms.TextInput(attrs=attrs))


class FilterForm(forms.Form):
    """What to look for. Nothing is required."""

    q = _text(_("Words"), placeholder=_("All of them must occur"))
    event_type = _text(_("Event type"), placeholder="compute.instance.*",
                       list="me-types", autocomplete="off")
    resource_id = _text(_("Resource ID"))
    range = forms.ChoiceField(label=_("Time"), choices=_RANGES,
                              required=False)
    since = _moment(_("From"))
    until = _moment(_("Before"))
    priority = forms.ChoiceField(label=_("Priority"), choices=_PRIORITIES,
                                 required=False)
    resource_type = _text(_("Resource type"),
                          placeholder="compute.instance")
    request_id = _text(_("Request ID"), placeholder="req-…")
    user_id = _text(_("User ID"))
    publisher_id = _text(_("Publisher"), placeholder="compute.host-1")
    project_id = _text(_("Project ID"))
    quick = forms.BooleanField(
        label=_("Quick: only the newest part of what is stored"),
        required=False)
    oldest_first = forms.BooleanField(label=_("Oldest first"),
                                      required=False)

    #: What is seen without asking for more.
    ALWAYS = ("q", "event_type", "resource_id", "range")

    def __init__(self, data: http.QueryDict, **options: Any) -> None:
        """:param data: of the address"""
        given = data.copy()
        if not given.get("range"):
            given["range"] = search.BETWEEN if given.get("since") or \
                given.get("until") else search.DEFAULT_RANGE
        super().__init__(given, **options)

    def clean_event_type(self) -> str:
        text = self.cleaned_data["event_type"]
        for one in search.split(text):
            try:
                search.pattern(one)
            except ValueError:
                raise forms.ValidationError(
                    _("A star stands for the rest of a type and may come at "
                      "its end only, as in compute.instance.*"))
        return text

    def clean(self) -> dict:
        found = super().clean()
        since, until = found.get("since"), found.get("until")
        if since and until and since >= until:
            self.add_error("until", _("This is not after the beginning."))
        return found

    def always(self) -> list:
        """Return the fields that are seen at once."""
        return [self[name] for name in self.ALWAYS]

    def more(self) -> list:
        """Return the fields behind “More filters”."""
        return [self[name] for name in self.fields
                if name not in (*self.ALWAYS, "since", "until")]

    def uses_more(self) -> bool:
        """Return whether one of those is filled in."""
        return any(one.value() for one in self.more())

    def search(self, now: datetime.datetime | None = None) -> search.Search:
        """Return the question; a field that is wrong asks nothing."""
        now = now or timezone.now()
        self.is_valid()
        found = self.cleaned_data
        chosen = found.get("range") or search.DEFAULT_RANGE
        since, until = found.get("since"), found.get("until")
        if chosen != search.BETWEEN:
            seconds = search.RANGES[chosen]
            since = seconds and now - datetime.timedelta(seconds=seconds)
            until = None
        return search.Search(
            words=found.get("q", ""), event_type=found.get("event_type", ""),
            fields={name: found[name] for name in search.FIELDS
                    if found.get(name)},
            range=chosen, since=since, until=until,
            quick=found.get("quick", False),
            oldest_first=found.get("oldest_first", False))


class TimelineForm(forms.Form):
    """Whose timeline, and which part of it; sent by GET too."""

    resource_id = _text(_("Resource ID"))
    request_id = _text(_("Or request ID"), placeholder="req-…")
    since = _moment(_("From"))
    until = _moment(_("Before"))
    alone = forms.BooleanField(
        label=_("Without what the same requests did to other things"),
        required=False)

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        if bool(found.get("resource_id")) == bool(found.get("request_id")):
            raise forms.ValidationError(
                _("Give the id of a resource or that of a request, one of "
                  "them."))
        since, until = found.get("since"), found.get("until")
        if since and until and since >= until:
            self.add_error("until", _("This is not after the beginning."))
        return found

    def asked(self) -> dict[str, Any]:
        """Return the client's arguments."""
        found = {name: self.cleaned_data[name] or None for name in (
            "resource_id", "request_id", "since", "until")}
        return {**found,
                "related": False if self.cleaned_data["alone"] else None}
