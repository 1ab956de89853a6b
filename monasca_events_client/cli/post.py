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

"""``event post``: events from options, files, standard input."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
import itertools
from typing import Any

from monasca_events_client.cli import columns
from monasca_events_client.cli import command
from monasca_events_client.cli import documents
from monasca_events_client.cli.progress import Progress
from monasca_events_client.events import Posted

#: option → field of an event that is made of options.
_FIELDS = {
    "id": ("event_id", "<id>", "id by which it is the same event when it is "
           "posted again"),
    "time": ("timestamp", "<time>", "when it happened, ISO 8601 (now)"),
    "resource": ("resource_id", "<id>", "id of the resource"),
    "resource-type": ("resource_type", "<type>", "type of the resource"),
    "user": ("user_id", "<id>", "id of the user"),
    "request": ("request_id", "<id>", "request id"),
    "priority": ("priority", "<priority>", "INFO by default"),
    "publisher": ("publisher_id", "<id>", "who sends it"),
}

#: Rejections that are told one by one.
_TOLD = 20


class PostEvents(command.ShowOne):
    """Post events

    One event from options, or all of some files: one event, an array,
    {"events": […]}, or one of these a line, in the API's own form, as
    CloudEvents or CADF. Events without an id get one, so that a request whose
    answer was lost is repeated without harm.
    """

    examples = (
        "post --type shop.order.placed --resource 4711 --trait total=99.5",
        "post --type deploy.finished --payload '{\"version\": \"1.4\"}'",
        "post --type deploy.finished --payload @result.json",
        "post events.ndjson cloudevents.json",
        "post - < events.ndjson")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("files", metavar="<file>", nargs="*",
                            help="file of events, - for standard input")
        parser.add_argument("--project", metavar="<project>",
                            help="post for another project (name or id); "
                                 "delegates")
        group = parser.add_argument_group("one event")
        group.add_argument("--type", metavar="<type>",
                           help="event type, such as shop.order.placed")
        group.add_argument("--payload", metavar="<json>",
                           help="payload, an object; @FILE reads a file")
        group.add_argument("--trait", metavar="<name>=<value>",
                           action="append", default=[],
                           help="trait; numbers, true and false are taken as "
                                "such, in quotes as strings")
        group.add_argument("--dimension", metavar="<name>=<value>",
                           action="append", default=[], help="dimension")
        for option, (field, metavar, what) in _FIELDS.items():
            group.add_argument(f"--{option}", dest=field, metavar=metavar,
                               help=what)
        return parser

    def take_action(self, parsed_args: argparse.Namespace
                    ) -> tuple[Sequence[str], Sequence[Any]]:
        if bool(parsed_args.type) == bool(parsed_args.files):
            raise ValueError("give either --type or files; - reads "
                             "standard input")
        given = _one(parsed_args) if parsed_args.type \
            else documents.events(parsed_args.files)
        accepted, rejected, event_ids = 0, 0, []
        project_id = self.project(parsed_args.project)
        with self.progress("posting events") as progress:
            for posted in self._posted(_counted(given, progress),
                                       project_id):
                accepted += posted.accepted
                event_ids += posted.event_ids
                for one in posted.rejected:
                    rejected += 1
                    if rejected <= _TOLD:
                        self.tell(f"{one['place']}: {one['message']}")
        if rejected > _TOLD:
            self.tell(f"and {rejected - _TOLD} more were not accepted")
        self._failed = bool(rejected)
        return (("accepted", "rejected", "event_ids"),
                (accepted, rejected, columns.Told(event_ids,
                                                  _brief(event_ids))))

    def run(self, parsed_args: argparse.Namespace) -> int:
        self._failed = False
        return super().run(parsed_args) or int(self._failed)

    def _posted(self, given: Iterable[documents.Given],
                project_id: str | None) -> Iterator[Posted]:
        """Yield results whose rejections say from where they came."""
        for form, group in itertools.groupby(given, lambda one: one.form):
            places: list[str] = []
            wrong: list[dict[str, str]] = []
            for posted in self.client.events.post_stream(
                    _events(group, places, wrong), form=form,
                    project_id=project_id):
                yield Posted(posted.accepted, [
                    {**one, "place": places[one["index"]]}
                    for one in posted.rejected], posted.event_ids)
            yield Posted(rejected=wrong)


def _counted(given: Iterable[documents.Given], progress: Progress
             ) -> Iterator[documents.Given]:
    for number, one in enumerate(given, 1):
        progress.show(f"{number} read")
        yield one


def _events(group: Iterable[documents.Given], places: list[str],
            wrong: list[dict[str, str]]) -> Iterator[Any]:
    for one in group:
        if one.event is None:
            wrong.append({"place": one.place, "message": one.wrong})
        else:
            places.append(one.place)
            yield one.event


def _one(given: argparse.Namespace) -> Iterator[documents.Given]:
    event: dict[str, Any] = {"event_type": given.type}
    for field, *_ in _FIELDS.values():
        if getattr(given, field) is not None:
            event[field] = getattr(given, field)
    traits = documents.traits(given.trait)
    dimensions = dict(documents.pair("--dimension", one)
                      for one in given.dimension)
    if traits:
        event["traits"] = traits
    if dimensions:
        event["dimensions"] = dimensions
    if given.payload is not None:
        event["payload"] = documents.value(given.payload)
    yield documents.Given(event, documents.form_of(event), given.type)


def _brief(event_ids: Sequence[str]) -> str:
    if len(event_ids) <= 5:
        return "\n".join(event_ids)
    return "\n".join([*event_ids[:5], f"… {len(event_ids) - 5} more"])
