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

"""What pages about triggers call things."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

#: Kind → its name, and what it is for.
KINDS: Mapping[str, tuple[str, str]] = {
    "match": (_("Match"), _("Something happens: every event that fits.")),
    "absence": (_("Absence"), _(
        "Something begins and does not end in time.")),
    "duration": (_("Duration"), _(
        "Something takes longer, or shorter, than it should.")),
    "threshold": (_("Threshold"), _(
        "Too many, or too few, within a time; or a sum, an average…")),
    "sequence": (_("Sequence"), _(
        "Several things that should follow one another within a time.")),
    "summary": (_("Summary"), _(
        "Several figures about each hour, day… To be written as JSON.")),
}

#: Pattern of a trigger → what the form calls it.
SLOTS: Mapping[str, str] = {
    "pattern": _("Events that count"), "start": _("It begins with"),
    "expect": _("What should follow"), "end": _("It ends with"),
    "unless": _("Unless there is meanwhile")}

OPERATORS: Mapping[str, str] = {
    "is": _("is (or, or)"), "not": _("is not (nor, nor)"),
    "begins": _("begins with"), "ends": _("ends with"),
    "contains": _("contains"), "ignoring-case": _("is, in any case"),
    "above": ">", "at-least": "≥", "below": "<", "at-most": "≤",
    "network": _("is an address in"), "exists": _("is there"),
    "missing": _("is not there")}

OUTCOMES: Mapping[str, str] = {
    "fired": _("Fired"), "missed": _("Missed"),
    "recovered": _("Recovered")}

SEVERITIES: Mapping[str, str] = {
    "LOW": _("Low"), "MEDIUM": _("Medium"), "HIGH": _("High"),
    "CRITICAL": _("Critical")}

AGGREGATES: Mapping[str, str] = {
    "count": _("number of events"), "distinct": _("different values of"),
    "sum": _("sum of"), "average": _("average of"), "min": _("least of"),
    "max": _("greatest of")}
