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

"""The rows of a timeline's table, as HTML.

A template takes ten times as long for a row, and a timeline may have
thousands. Whatever comes from events is escaped by format_html.
"""

from collections.abc import Callable, Iterable
import dataclasses
import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from monasca_events_dashboard.presentation import duration
from monasca_events_dashboard.presentation import visible
from monasca_events_dashboard.timelines import Entry
from monasca_events_dashboard.timelines import Step


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What rows need to know of their page.

    :ivar subject: the id that the timeline is about
    :ivar event_url: of an event's id
    :ivar firing_url: of a trigger's id and a firing's; None where there is no
        such page
    :ivar is_cut: whether things may have begun before what is shown
    """

    subject: str
    event_url: Callable[[str], str]
    firing_url: Callable[[str, str], str] | None
    is_cut: bool


def html(entries: Iterable[Entry], page: Surroundings) -> SafeString:
    """Return a row for each thing on the axis, in the zone of who asks."""
    rows = _Rows(page)
    return format_html_join("\n", "{}", ((rows.row(one),) for one in entries))


class _Rows:
    """Words and times of one page, looked up once."""

    def __init__(self, page: Surroundings) -> None:
        self._page = page
        self._made: dict[tuple, SafeString] = {}
        self._zone = timezone.get_current_timezone()
        self._time_cell = format_html('<td data-label="{}">', _("Time"))
        self._what_cell = format_html('<th scope="row" data-label="{}">',
                                      _("What"))
        self._result_label, self._of_label = _("Result"), _("Of")
        self._operation = _signed("arrows-h", _("Operation"))
        self._trigger, self._nothing = _("Trigger"), _("Nothing")
        self._same = _("the same request")
        self._outcomes = {"error": _signed("times-circle", _("failed")),
                          "gone": _("what it was about is gone")}
        self._states = {
            "open": _signed("question-circle", _("never ended")),
            "running": _("goes on"),
            "unbegun": _("began before") if page.is_cut
            else _("its beginning is missing")}

    def row(self, one: Entry) -> SafeString:
        start = self._time(one.start)
        return format_html(
            '{} data-start="{}" data-end="{}">\n{}<time>{}</time></td>\n'
            "{}<div>{}</div></th>\n{}\n{}\n</tr>",
            self._once(_opening, one.kind, one.level, one.related, one.lane,
                       one.state, one.outcome), start, self._time(one.end),
            self._time_cell, start.replace("T", " "), self._what_cell,
            self._what(one), self._once(_cell, self._result_label,
                                        self._result(one)), self._of(one))

    def _once(self, make: Callable[..., SafeString], *arguments: Any
              ) -> SafeString:
        """Return what is made of the same for many rows: escaping takes most
        of the time."""
        key = (make, *arguments)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make(*arguments)
        return found

    def _time(self, moment: datetime.datetime) -> str:
        return moment.astimezone(self._zone).replace(
            tzinfo=None).isoformat(timespec="microseconds")

    def _what(self, one: Entry) -> str:
        if one.kind == "gap":
            return self._nothing
        name, url, before = visible(one.name), None, ""
        if one.kind == "firing":
            before = self._trigger
            if self._page.firing_url is not None:
                url = self._page.firing_url(one.trigger_id, one.event_id)
        else:
            before = self._operation if one.kind == "span" else ""
            if one.event_id:
                url = self._page.event_url(one.event_id)
        told = format_html("{} {}", before, name) if url is None \
            else format_html('{} <a href="{}">{}</a>', before, url, name)
        if one.text:
            told += format_html(' <div class="me-aside">{}</div>',
                                visible(one.text))
        if one.steps:
            told += format_html(
                ' <ol class="me-steps me-aside">{}</ol>', format_html_join(
                    " ", "<li>{}: {}</li>", (
                        (visible(step.name), self._ended(step))
                        for step in one.steps)))
        return told

    def _result(self, one: Entry) -> str:
        if one.kind == "span":
            return self._ended(one)
        if one.seconds is not None:
            return duration(one.seconds)
        return _signed("exclamation-triangle", one.outcome or one.level) \
            if one.level else one.outcome

    def _ended(self, one: Entry | Step) -> SafeString:
        told = ("" if one.seconds is None else duration(one.seconds),
                self._states.get(one.state), self._outcomes.get(one.outcome))
        return format_html_join(" ", "{}", ((word,) for word in told if word))

    def _of(self, one: Entry) -> SafeString:
        # A start, an end and their operation are of the same.
        return self._once(self._of_cell, one.related, one.resource_type,
                          one.resource_id, one.request_id)

    def _of_cell(self, related: bool, resource_type: str, resource_id: str,
                 request_id: str) -> SafeString:
        told = format_html("{}: ", self._same) if related \
            else format_html("")
        told += format_html("{}", visible(resource_type))
        subject = self._page.subject
        if resource_id and resource_id != subject:
            told += format_html(" {}", _here("resource_id", resource_id))
        if request_id and request_id != subject:
            told += format_html(' <div class="me-aside">{}</div>',
                                _here("request_id", request_id))
        return _cell(self._of_label, told)


def _opening(kind: str, level: str, related: bool, lane: int | None,
             state: str, outcome: str) -> SafeString:
    return format_html(
        '<tr class="me-entry me-{}{}{}" data-kind="{}"{} data-state="{}"'
        ' data-outcome="{}" data-level="{}"',
        kind, f" me-{level}" if level else "",
        " me-related" if related else "", kind, "" if lane is None
        else format_html(' data-lane="{}"', lane), state, outcome, level)


def _cell(label: str, content: str) -> SafeString:
    # On a narrow screen a cell is a line, which an empty one needs not have.
    return format_html('<td data-label="{}" class="{}"><div>{}</div></td>',
                       label, "" if content else "me-nothing", content)


def _signed(sign: str, word: str) -> SafeString:
    return format_html('<span class="fa fa-{}" aria-hidden="true"></span> {}',
                       sign, word)


def _here(name: str, ident: str) -> SafeString:
    """Return a link to the timeline of an id."""
    return format_html('<a href="?{}">{}</a>', urlencode({name: ident}),
                       visible(ident))
