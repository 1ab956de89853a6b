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

"""The form of a notification method."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from monasca_events_dashboard import fields

#: Types that every tenant may use, and those that reach what is the
#: operator's.
TYPES = (("webhook", _("Webhook")), ("email", _("E-mail")),
         ("event", _("Event")))
OPERATORS_TYPES = (("log", _("Log line")),
                   ("monasca-notification", _("Monasca notification")),
                   ("metric", _("Metric")))

#: Type → what its own fields are; in the browser the others are not seen.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "webhook": ("address",), "email": ("mail", "subject_prefix"),
    "event": ("event_type", "event_type_prefix"), "metric": ("metric",)}

_NEEDED: Mapping[str, str] = {"webhook": "address", "email": "mail",
                              "metric": "metric"}

#: Setting of the API → field here.
_SETTINGS: Mapping[str, str] = {
    "subject_prefix": "subject_prefix", "event_type": "event_type",
    "event_type_prefix": "event_type_prefix", "name": "metric"}


class MethodForm(fields.Form):
    """A new method, or one that is there, whose type stays."""

    name = fields.text(_("Name"), required=True, max_length=255)
    type = forms.ChoiceField(label=_("Type"), choices=TYPES)
    address = fields.text(
        _("Address"), help_text=_("An https URL that takes a POST. What "
                                  "comes is signed; see Standard Webhooks."),
        placeholder="https://hooks.example.org/events")
    mail = forms.EmailField(label=_("Mail address"), required=False)
    subject_prefix = fields.text(
        _("Subject begins with"), help_text=_("Before the trigger's name."))
    event_type = fields.text(
        _("Event type"), placeholder="derived.alarm",
        help_text=_("Of the event that each firing makes, or else below:"))
    event_type_prefix = fields.text(
        _("Event type begins with"), placeholder="derived.alarm.",
        help_text=_("The outcome is put behind it."))
    metric = fields.text(_("Name of the metric"))

    def __init__(self, *arguments: Any, operator: bool = False,
                 method: Mapping[str, Any] | None = None, **options: Any
                 ) -> None:
        """:param operator: offer the types that are the operator's
        :param method: the one that is changed
        """
        if method is not None:
            settings = method.get("settings") or {}
            options["initial"] = {
                **{field: settings.get(name)
                   for name, field in _SETTINGS.items()},
                "name": method["name"], "type": method["type"],
                # In the other one's field nobody would see it, and a browser
                # that finds it wrong there sends nothing.
                "mail" if method["type"] == "email" else "address":
                    method.get("address")}
        super().__init__(*arguments, **options)
        self._method = method
        if operator or method is not None:
            self.fields["type"].choices = [*TYPES, *OPERATORS_TYPES]
        if method is not None:
            self.fields["type"].disabled = True
            self.fields["type"].help_text = _(
                "The type of a method that is there cannot be changed.")
        for kind, names in _FIELDS.items():
            for name in names:
                self.fields[name].shown_for = kind

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        needed = _NEEDED.get(found.get("type", ""))
        if needed and not found.get(needed) and needed not in self.errors:
            self.add_error(needed, _("This is needed."))
        return found

    def definition(self) -> dict[str, Any]:
        """Return what the API is given."""
        found = self.cleaned_data
        kind = found["type"]
        made: dict[str, Any] = {"name": found["name"]}
        if self._method is None:
            made["type"] = kind
        if kind in ("webhook", "email"):
            made["address"] = found["address" if kind == "webhook"
                                    else "mail"]
        settings = {
            name: found[field] or None for name, field in _SETTINGS.items()
            if field in _FIELDS.get(kind, ())}
        if self._method is None:
            settings = {name: value for name, value in settings.items()
                        if value is not None}
        if settings:
            made["settings"] = settings
        return made

    def field_of(self, where: str) -> str | None:
        """Return the field of a path in what the API was given."""
        name = where.rpartition(".")[2]
        if name == "address" and self.cleaned_data.get("type") == "email":
            return "mail"
        return _SETTINGS.get(name, name) if name != "name" or \
            ".settings" in where else "name"
