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

"""What came of trying a trigger, as pages show it."""

from collections.abc import Mapping
import datetime
from typing import Any

from django.utils.translation import gettext as _

from monasca_events_dashboard import charts
from monasca_events_dashboard import histogram
from monasca_events_dashboard import patterns
from monasca_events_dashboard import presentation
from monasca_events_dashboard.triggers import wording

#: Firings of a back-test that are shown; all are counted.
SHOWN = 50


def types(pattern: Mapping[str, Any]) -> list[str]:
    """Return the event types that a pattern names and a search can find."""
    try:
        found = patterns.read({"event_type": pattern.get("event_type")})
    except (patterns.TooRich, TypeError):
        return []
    return [one for one in found.types if "*" not in one[:-1]]


def tested(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page shows of a test on one event."""
    return {
        "event": presentation.shown(found["event"]),
        "summary": found["summary"], "matches": found["matches"],
        "slots": [{"name": wording.SLOTS.get(one["slot"], one["slot"]),
                   "matches": one["matches"],
                   "text": (one.get("mismatch") or {}).get("text", "")}
                  for one in found["slots"]],
        "firings": [firing(one.get("data", one))
                    for one in found["firings"]],
        "waits": found["waits"]}


def backtest(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page shows of a back-test that has ended or not."""
    shown: dict[str, Any] = {
        "id": found["id"], "status": found["status"],
        "error": found.get("error"), "progress": found["progress"],
        "percent": round(100 * (found["progress"].get("share") or 0)),
        "since": presentation.moment(found["since"]),
        "until": presentation.moment(found["until"])}
    if found["status"] != "finished":
        return shown
    bars = histogram.bars(
        found["histogram"], shown["since"], shown["until"],
        histogram.outcomes) if found["histogram"].get("interval") else []
    happened = [name for name in wording.OUTCOMES
                if found["by_outcome"].get(name)]
    shown.update(
        total=found["firings_total"], truncated=found.get("truncated"),
        firings=[firing(one) for one in found["firings"]],
        held=[(name, count) for name, count in found["held"].items()
              if count],
        chart=charts.chart(bars, _("Firings"), {
            name: wording.OUTCOMES[name] for name in happened}))
    return shown


def firing(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list shows of a firing, of one that is or would be."""
    deliveries = [presentation.delivery(one)
                  for one in found.get("deliveries") or ()]
    return {
        "id": found["firing_id"], "trigger_id": found["trigger_id"],
        "trigger_name": found.get("trigger_name") or found["trigger_id"],
        "severity": found.get("severity") or "",
        "outcome": found["outcome"],
        "label": wording.OUTCOMES.get(found["outcome"], found["outcome"]),
        "key": ", ".join(presentation.visible(
            f"{name} {'–' if value is None else value}")
            for name, value in (found.get("key") or {}).items()),
        "at": datetime.datetime.fromisoformat(found["at"]),
        "reason": found.get("reason") or "",
        "event_ids": found.get("event_ids") or (),
        "held": [name for name in ("dry_run", "muted", "limited")
                 if found.get(name)],
        "deliveries": deliveries,
        "failed": any(one.status == "parked" for one in deliveries),
        "level": {"missed": "error", "recovered": ""}.get(
            found["outcome"], "warning")}
