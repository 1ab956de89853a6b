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

"""The form of a trigger that needs no JSON, and the one that is JSON."""

from collections.abc import Mapping, Sequence
import json
import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from monasca_events_dashboard import fields
from monasca_events_dashboard import patterns
from monasca_events_dashboard import presentation
from monasca_events_dashboard import rules
from monasca_events_dashboard.patterns import Condition
from monasca_events_dashboard.patterns import Wanted
from monasca_events_dashboard.triggers import wording

#: Conditions that a pattern has room for at least.
ROWS = 5

#: How far a back-test may look back: name → seconds.
SPANS: Mapping[str, int] = {"24h": 86400, "7d": 7 * 86400, "30d": 30 * 86400}

_MOST_SECONDS = 31 * 86400
_SEPARATORS = re.compile(r"[\s,]+")


class TrialForm(fields.Form):
    """On what a draft is tried."""

    event_id = fields.text(
        _("Event ID"), help_text=_("Empty: the newest event of such a type."))
    span = forms.ChoiceField(
        label=_("Back-test over"), required=False, choices=(
            ("24h", _("the last 24 hours")), ("7d", _("the last 7 days")),
            ("30d", _("the last 30 days"))), initial="7d")


class JsonForm(TrialForm):
    """A definition as it is."""

    definition = forms.CharField(
        label=_("Definition"), widget=forms.Textarea(attrs={
            "rows": 24, "spellcheck": "false", "class": "me-code"}))
    form = "json"
    kind = ""

    def __init__(self, data: Any = None, *,
                 filled: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=filled and {
            "definition": presentation.pretty(rules.definition(filled))})
        self.order_fields(["definition"])

    def clean_definition(self) -> dict[str, Any]:
        try:
            found = json.loads(self.cleaned_data["definition"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                _t("This is not JSON: %s.") % error) from error
        if not isinstance(found, dict):
            raise forms.ValidationError(_t("Expected a JSON object."))
        return rules.definition(found)

    def made(self) -> dict[str, Any] | None:
        """Return the definition; None where the form is wrong."""
        return self.cleaned_data.get("definition")

    def field_of(self, where: str) -> str | None:
        return "definition"


class FieldsForm(TrialForm):
    """One trigger in fields, those of its kind."""

    form = "fields"

    name = fields.text(_("Name"), required=True, max_length=255)
    description = fields.text(_("Description"))
    severity = forms.ChoiceField(
        label=_("Severity"), choices=wording.SEVERITIES.items())
    group_by = fields.text(
        _("Judged by itself for each"), placeholder="resource_id",
        help_text=_("Fields with commas between. Empty: all events "
                    "together."))
    enabled = forms.BooleanField(label=_("Enabled"), required=False,
                                 initial=True)
    dry_run = forms.BooleanField(
        label=_("Dry run: record what it finds and tell nobody"),
        required=False)
    limit_firings = forms.IntegerField(
        label=_("Tell at most so many firings"), required=False,
        min_value=1, help_text=_("Of more only a record is kept."))
    limit_seconds = forms.IntegerField(
        label=_("within so many seconds"), required=False, min_value=1)

    #: Fields of single kinds.
    _OWN = {
        "within": lambda: forms.IntegerField(
            label=_("Within so many seconds"), min_value=1,
            max_value=_MOST_SECONDS),
        "window": lambda: forms.IntegerField(
            label=_("Counted over so many seconds"), min_value=1,
            max_value=_MOST_SECONDS),
        "sliding": lambda: forms.BooleanField(
            label=_("The window slides with every event; otherwise one "
                    "window follows another"), required=False, initial=True),
        "aggregate": lambda: forms.ChoiceField(
            label=_("What is counted"), choices=wording.AGGREGATES.items()),
        "field": lambda: fields.text(
            _("Field"), placeholder="traits.size",
            help_text=_("For all but the number of events.")),
        "ordered": lambda: forms.BooleanField(
            label=_("In this order"), required=False, initial=True),
        "strict": lambda: forms.BooleanField(
            label=_("A step before its turn is a miss at once"),
            required=False),
        "quiet": lambda: forms.BooleanField(
            label=_("That all came in time is not worth telling"),
            required=False)}

    _SIGNS = (">", ">=", "<", "<=", "=", "!=")

    def __init__(self, data: Any = None, *, kind: str,
                 methods: Sequence[Mapping[str, Any]] = (),
                 filled: Mapping[str, Any] | None = None) -> None:
        """
        :param methods: the project's notification methods
        :param filled: what :func:`.rules.read` returns
        """
        self.kind = kind
        self.kind_label, self.kind_help = wording.KINDS[kind]
        self._filled = filled or {}
        super().__init__(data, initial=self._initial())
        for name in rules.FIELDS[kind]:
            if name == "compare":
                self.fields["sign"] = forms.ChoiceField(
                    label=_("Fires when it is"),
                    choices=[(one, one) for one in self._SIGNS])
                self.fields["bound"] = forms.FloatField(
                    label=_("than so many seconds") if kind == "duration"
                    else _("than"), widget=forms.TextInput(
                        attrs={"inputmode": "decimal"}))
            else:
                self.fields[name] = self._OWN[name]()
        self.slots = [Slot(self, name.rstrip("?"), name.endswith("?"),
                           wording.SLOTS[name.rstrip("?")])
                      for name in rules.SLOTS[kind]]
        self.steps = [
            Slot(self, f"step{number}", number > 1,
                 _t("Step %d") % (number + 1), named=True)
            for number in range(rules.STEPS)] if kind == "sequence" else []
        for outcome in rules.POSSIBLE[kind]:
            self.fields[f"notify_{outcome}"] = forms.MultipleChoiceField(
                label=wording.OUTCOMES[outcome], required=False,
                choices=[(one["id"], presentation.visible(one["name"]))
                         for one in methods],
                widget=forms.CheckboxSelectMultiple)

    def _initial(self) -> dict[str, Any]:
        filled = self._filled
        found = {name: filled[name] for name in filled
                 if name not in ("slots", "steps", "notify", "kept",
                                 "group_by", "rate_limit", "compare")}
        found["group_by"] = ", ".join(filled.get("group_by", ()))
        if filled.get("compare"):
            found["sign"], found["bound"] = filled["compare"]
        if filled.get("rate_limit"):
            found["limit_firings"], found["limit_seconds"] = \
                filled["rate_limit"]
        for outcome, ids in filled.get("notify", {}).items():
            found[f"notify_{outcome}"] = list(ids)
        return found

    def filled_slot(self, name: str) -> tuple[str, Wanted]:
        """Return the name and the events of a pattern or a step."""
        number = name.removeprefix("step")
        if not number.isdecimal():
            return "", self._filled.get("slots", {}).get(name) or Wanted()
        steps = self._filled.get("steps", ())
        return steps[int(number)] if int(number) < len(steps) \
            else ("", Wanted())

    def own(self) -> list:
        """Return the fields of the kind."""
        return [self[name] for one in rules.FIELDS[self.kind]
                for name in (("sign", "bound") if one == "compare"
                             else (one,))]

    def about(self) -> list:
        return [self[name] for name in (
            "name", "description", "severity", "group_by", "enabled",
            "dry_run")]

    def told(self) -> list:
        """Return whom each outcome tells."""
        return [self[f"notify_{outcome}"]
                for outcome in rules.POSSIBLE[self.kind]]

    def limits(self) -> list:
        return [self["limit_firings"], self["limit_seconds"]]

    def trial(self) -> list:
        return [self["event_id"], self["span"]]

    def clean(self) -> dict[str, Any]:
        found = super().clean()
        if bool(found.get("limit_firings")) != bool(
                found.get("limit_seconds")):
            self.add_error("limit_seconds", _("Both, or none of them."))
        if found.get("aggregate", "count") != "count" \
                and not found.get("field"):
            self.add_error("field", _("This is needed."))
        return found

    def made(self) -> dict[str, Any] | None:
        """Return the definition; None where the form is wrong."""
        found = self.cleaned_data
        steps = [one for one in self.steps if not one.optional
                 or one.given()[1] or one.given()[0]]
        parts = [*self.slots, *steps]
        for one in parts:
            one.check()
        if self.errors:
            return None
        bound = found.get("bound")
        return rules.write({
            **found, "kind": self.kind,
            "kept": self._filled.get("kept", {}),
            "group_by": [one for one in _SEPARATORS.split(
                found["group_by"]) if one],
            "compare": bound is not None and (
                found["sign"], int(bound) if bound == int(bound) else bound)
            or None,
            "rate_limit": found.get("limit_firings") and (
                found["limit_firings"], found["limit_seconds"]),
            "slots": {one.name: one.given()[1] for one in self.slots},
            "steps": [one.given() for one in steps],
            "notify": {outcome: found[f"notify_{outcome}"]
                       for outcome in rules.POSSIBLE[self.kind]}})

    def field_of(self, where: str) -> str | None:
        parts = where.removeprefix("trigger.").split(".")
        name = parts[0].partition("[")[0]
        if name == "steps":
            number = re.search(r"\[([0-9]+)\]", parts[0])
            return f"step{number[1]}-types" if number else None
        if name == "compare":
            return "bound"
        if name == "rate_limit":
            return "limit_firings"
        return f"{name}-types" if f"{name}-types" in self.fields else name


class Slot:
    """One pattern in the form: event types and rows of conditions.

    Its fields are the form's.
    """

    def __init__(self, form: FieldsForm, name: str, optional: bool,
                 label: str, named: bool = False) -> None:
        """:param named: a step, which has a name"""
        self._form = form
        self.name, self.optional, self.label = name, optional, label
        filled_name, wanted = form.filled_slot(name)
        self.named = named
        if named:
            form.fields[f"{name}-name"] = fields.text(_("Name of the step"))
            form.initial.setdefault(f"{name}-name", filled_name)
        form.fields[f"{name}-types"] = forms.CharField(
            label=_("Event types"), required=False, widget=forms.Textarea(
                attrs={"rows": 2, "spellcheck": "false",
                       "placeholder": "compute.instance.create.end"}),
            help_text=_("One of them must fit. A star stands for anything: "
                        "compute.*"))
        form.initial.setdefault(f"{name}-types", "\n".join(wanted.types))
        self._rows = max(ROWS, len(wanted.conditions) + 1)
        for row in range(self._rows):
            self._add(row, wanted.conditions[row]
                      if row < len(wanted.conditions) else None)

    def _add(self, row: int, condition: Condition | None) -> None:
        form, prefix = self._form, f"{self.name}-{row}"
        label = _t("%(part)s, condition %(number)d") % {
            "part": self.label, "number": row + 1}

        def attrs(what: str, **more: str) -> dict[str, str]:
            return {"aria-label": f"{label}: {what}", **more}

        form.fields[f"{prefix}-path"] = forms.CharField(
            label=_("Field"), required=False, max_length=1024,
            widget=forms.TextInput(attrs=attrs(
                _t("field"), list="me-fields", autocomplete="off",
                placeholder="traits.memory_mb")))
        form.fields[f"{prefix}-operator"] = forms.ChoiceField(
            label=_("Comparison"), required=False,
            choices=wording.OPERATORS.items(),
            widget=forms.Select(attrs=attrs(_t("comparison"))))
        form.fields[f"{prefix}-value"] = forms.CharField(
            label=_("Value"), required=False, max_length=8192,
            widget=forms.TextInput(attrs=attrs(_t("value"))))
        if condition is not None:
            for name in ("path", "operator", "value"):
                form.initial.setdefault(f"{prefix}-{name}",
                                        getattr(condition, name))

    @property
    def types(self):
        return self._form[f"{self.name}-types"]

    @property
    def step_name(self):
        return self._form[f"{self.name}-name"]

    def rows(self) -> list[dict[str, Any]]:
        """Return the fields of each condition, and whether it is seen."""
        found = []
        for row in range(self._rows):
            bound = {name: self._form[f"{self.name}-{row}-{name}"]
                     for name in ("path", "operator", "value")}
            used = bool(bound["path"].value() or bound["value"].value())
            found.append({**bound, "hidden": row and not used,
                          "wrong": [one for one in bound.values()
                                    if one.errors]})
        return found

    @property
    def hidden(self) -> bool:
        """Whether it is a step that is not used yet."""
        if not self.optional or not self.named:
            return False
        return not (self.types.value() or self.step_name.value()
                    or any(row["path"].value() or row["value"].value()
                           for row in self.rows()))

    def _conditions(self) -> dict[int, Condition]:
        """Return the conditions by their row."""
        found = self._form.cleaned_data
        conditions = {}
        for row in range(self._rows):
            path, operator, value = (
                found.get(f"{self.name}-{row}-{name}", "")
                for name in ("path", "operator", "value"))
            if path or value:
                conditions[row] = Condition(path, operator or "is", value)
        return conditions

    def given(self) -> tuple[str, Wanted]:
        """Return what was filled in, with the name of a step."""
        found = self._form.cleaned_data
        types = [one for one in _SEPARATORS.split(
            found.get(f"{self.name}-types", "")) if one]
        return (found.get(f"{self.name}-name", ""),
                Wanted(tuple(types), tuple(self._conditions().values())))

    def check(self) -> None:
        """Say beside the fields what is wrong in them."""
        name, wanted = self.given()
        if not wanted and (not self.optional or name):
            self._form.add_error(f"{self.name}-types", _(
                "Which events? A type or a condition is needed."))
        if self.named and not name and wanted:
            self._form.add_error(f"{self.name}-name", _("This is needed."))
        try:
            patterns.write(wanted)
        except patterns.Unclear as error:
            self._form.add_error(
                f"{self.name}-types" if error.row is None
                else f"{self.name}-{[*self._conditions()][error.row]}-value",
                str(error)[:1].upper() + f"{error}."[1:])
