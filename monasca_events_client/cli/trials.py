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

"""``event trigger test``, ``backtest``, ``explain``: what would, what did."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from monasca_events_client import errors
from monasca_events_client.cli import bars
from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import documents
from monasca_events_client.cli import events
from monasca_events_client.cli import filters
from monasca_events_client.cli import moments
from monasca_events_client.cli import printable

#: Firings that a picture lists.
_FIRINGS = 10


def _add_rule(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which trigger is meant."""
    parser.add_argument("trigger", metavar="<trigger>", nargs="?",
                        help="name or id of one that is there")
    draft = parser.add_mutually_exclusive_group()
    draft.add_argument("--file", metavar="<file>",
                       help="file of a draft, JSON or YAML; it needs no name")
    draft.add_argument("--template", metavar="<template>",
                       help="a template")
    parser.add_argument("--within", metavar="<time>", type=filters.span,
                        help="time of a template, in place of its own")


def _rule(given: argparse.Namespace, which: command.Ours) -> dict[str, Any]:
    """Return ``trigger`` or ``trigger_id`` for the client."""
    named = [one for one in (given.trigger, given.file, given.template)
             if one]
    if len(named) != 1:
        raise ValueError("give a trigger, --file or --template")
    if given.trigger:
        return {"trigger_id": which.client.triggers.find(
            given.trigger)["id"]}
    draft = documents.load_object(given.file) if given.file \
        else {"template": given.template}
    if given.within is not None:
        draft["within"] = given.within
    return {"trigger": draft}


class TestTrigger(command.ShowOne):
    """Try a trigger, or a draft of one, on one event

    Nothing is stored and nothing is sent.
    """

    examples = (
        "trigger test 'instance stuck' --event 884a19fd",
        "trigger test --file draft.yaml --event-file event.json",
        "trigger test --template instance-create --type "
        "compute.instance.create.start --resource vm-1")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        _add_rule(parser)
        events.add_one(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        rule = {**_rule(parsed_args, self), **events.one(self, parsed_args)}
        found = self.client.triggers.test(**rule)
        return (("summary", "matches", "slots", "firings", "waits", "cost"),
                (found["summary"], found["matches"], _slots(found["slots"]),
                 columns.Told(found["firings"],
                              _firings(found["firings"])),
                 columns.Lines(found["waits"]), found["cost"]))


class ExplainTrigger(command.ShowOne):
    """Tell why a trigger did or did not fire for an event"""

    examples = ("trigger explain 'instance stuck' 884a19fd",)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("trigger", metavar="<trigger>",
                            help="name or id")
        parser.add_argument("event", metavar="<event>",
                            help="id of a stored event, or its beginning")
        filters.add_scope(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        scope = filters.scope(parsed_args, self.project)
        triggers = self.client.triggers
        found = triggers.explain(
            triggers.find(parsed_args.trigger, **scope)["id"],
            events.find(self, parsed_args.event, scope)["event_id"], **scope)
        groups = "\n".join(_group(one) for one in found["groups"])
        return (("summary", "fired", "matches", "enabled", "dry_run", "muted",
                 "slots", "groups", "firings"),
                (found["summary"], found["fired"], found["matches"],
                 found["enabled"], found["dry_run"], found["muted"],
                 _slots(found["slots"]),
                 columns.Told(found["groups"], groups),
                 columns.Told(found["firings"],
                              _firings(found["firings"]))))


class BacktestTrigger(command.Pictured, command.ShowOne):
    """Run a trigger, or a draft of one, over what is stored

    Tells what it would have found and when; drawn as bars. Nothing is changed
    and nothing is sent. Ctrl-C cancels it.
    """

    examples = (
        "trigger backtest 'instance stuck'",
        "trigger backtest --template instance-create --within 5m --since 2d",
        "trigger backtest --file draft.yaml -f json -c firings")
    _found: Mapping[str, Any] = {}

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        _add_rule(parser)
        filters.add_time(parser)
        parser.add_argument(
            "--firings", metavar="<number>", type=int, default=_FIRINGS,
            help=f"firings that are listed below the bars ({_FIRINGS})")
        parser.add_argument(
            "--timeout", metavar="<time>", type=filters.span, default=600,
            help="give up, and cancel it, after so long (10m)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        with self.progress("back-test") as progress:
            found = self._found = self.client.triggers.backtest(
                **_rule(parsed_args, self), **filters.time(parsed_args),
                seconds=parsed_args.timeout,
                progress=lambda one: progress.show(
                    f"{one['progress']['events']} events, {one['status']}",
                    one["progress"]["share"]))
        if found["status"] != "finished":
            raise errors.ClientError(
                f"the back-test {found['status']}: {found.get('error')}",
                code="backtest_failed")
        names = [name for name in found if name not in ("links", "id")]
        return names, [found[name] if not isinstance(found[name],
                                                     (dict, list))
                       else columns.Document(found[name]) for name in names]

    def draw(self, parsed_args: argparse.Namespace) -> Iterator[str]:
        found = self._found
        yield (f"{moments.shown(found['since'])} to "
               f"{moments.shown(found['until'])} UTC, "
               f"{found['progress']['events']} events")
        yield _total(found)
        yield from self._histogram(found["histogram"])
        shown = found["firings"][:parsed_args.firings]
        if shown:
            yield ""
        for one in shown:
            yield printable.cut(_firing(one), self.room())
        left = found["firings_total"] - len(shown)
        if shown and left:
            yield f"… {left} more firings; -f json has {_most(found)}"

    def _histogram(self, histogram: Mapping[str, Any] | None
                   ) -> Iterable[str]:
        if not histogram or not histogram["buckets"]:
            return ()
        since, until = self._found["since"], self._found["until"]
        buckets, interval = bars.merged(
            histogram["buckets"], histogram["interval"],
            filters.whole(since, until).total_seconds(), "outcomes")
        rows = [bars.Row(bars.label(one["start"], interval), one["count"],
                         one.get("outcomes") or {})
                for one in bars.filled(buckets, interval, since, until)]
        return ["", *bars.histogram(rows, self.room())]


def _most(found: Mapping[str, Any]) -> str:
    return f"the first {len(found['firings'])}" if found["truncated"] \
        else "all"


def _total(found: Mapping[str, Any]) -> str:
    total = found["firings_total"]
    text = f"{total} firing{'' if total == 1 else 's'}"
    parts = [f"{count} {name}" for name, count
             in found["by_outcome"].items()]
    if parts:
        text += f": {', '.join(parts)}"
    held = [f"{count} {name.replace('_', ' ')}" for name, count
            in found["held"].items() if count]
    return text + (f"; not delivered: {', '.join(held)}" if held else "")


def _slots(slots: Sequence[Mapping[str, Any]]) -> columns.Told:
    lines = []
    for one in slots:
        mismatch = one.get("mismatch")
        told = "matches" if one["matches"] else (
            mismatch["text"] if mismatch else "does not match")
        key = one.get("key")
        lines.append(f"{one['slot']}: {told}"
                     + (f" ({_key(key)})" if key else ""))
    return columns.Told(list(slots), "\n".join(lines))


def _group(group: Mapping[str, Any]) -> str:
    key = _key(group["key"]) or "all events"
    waits = group.get("waits_for")
    if not waits:
        return f"{key}: waits for nothing"
    left = group.get("seconds_left")
    return f"{key}: waits for {waits}" + (
        f", {moments.duration(left)} left" if left else "")


def _firings(firings: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(map(_firing, firings))


def _firing(firing: Mapping[str, Any]) -> str:
    """Return a firing in one line."""
    return printable.escape("  ".join(filter(None, (
        moments.shown(firing["at"]), f"{firing['outcome']:9}",
        _key(firing.get("key")), firing.get("reason")))))


def _key(key: Mapping[str, Any] | None) -> str:
    """Return the values that tell a group, with their names where there are
    several."""
    values = key or {}
    if len(values) == 1:
        return printable.compact(next(iter(values.values()))) or "none"
    return ", ".join(f"{name}={printable.compact(value)}"
                     for name, value in values.items())
