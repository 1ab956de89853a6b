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

"""``/v1.0/events``: posting events and finding them again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
from typing import Any

from monasca_events_client import batches
from monasca_events_client import errors
from monasca_events_client import filters
from monasca_events_client.pages import Pages
from monasca_events_client.transport import Transport
from monasca_events_client.transport import quote

PATH = "/v1.0/events"

#: Code of a request that was too large, as one event alone may be.
_TOO_LARGE = "body_too_large"


@dataclasses.dataclass(frozen=True, slots=True)
class Posted:
    """What became of posted events.

    :ivar accepted: how many survive a failure of the service now
    :ivar rejected: ``index``, ``code`` and ``message`` of each of the others;
        the index counts all events that were given
    :ivar event_ids: of the accepted ones, in their order
    """

    accepted: int = 0
    rejected: Sequence[Mapping[str, Any]] = ()
    event_ids: Sequence[str] = ()


class Events:
    """Events of the project of the token, or of others for who may."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # -- in

    def post(self, events: Iterable[Mapping[str, Any]], *,
             project_id: str | None = None, form: batches.Form = batches.OWN
             ) -> Posted:
        """Post events and return what became of them.

        :param events: as many requests are made as the announced limits need
        :param project_id: of events that name none; for delegates
        :param form: ``batches.OWN``, the API's own form or CADF, or
            ``batches.CLOUDEVENTS``
        :raises Unprocessable: none of them was accepted; ``rejections`` says
            why, for each
        :raises ApiError: a request was refused as a whole; those before it
            were accepted
        :raises ValueError: an event has no JSON form
        """
        return self._together(self.post_stream(
            events, project_id=project_id, form=form))

    def post_stream(self, events: Iterable[Mapping[str, Any]], *,
                    project_id: str | None = None,
                    form: batches.Form = batches.OWN) -> Iterator[Posted]:
        """Post events as they come and yield what became of each request's.

        Nothing is sent before the first result is asked for. What an
        iterator gives is read a request at a time, however long it is.
        Parameters and errors are those of :meth:`post`, but that events
        which were not accepted are told of and raise nothing.
        """
        limits = self._transport.limits()
        given = _prepared(events) if form is batches.OWN else events
        for batch in batches.split(given, form, limits["max_events"],
                                   limits["max_body_bytes"]):
            yield self._post(batch, form, project_id)

    def _post(self, batch: batches.Batch, form: batches.Form,
              project_id: str | None) -> Posted:
        query = [("project_id", project_id)] if project_id else ()
        try:
            # Events have ids of their own: twice is once.
            answer = self._transport.json(
                "POST", PATH, query=query, body=batch.body(form),
                headers={"Content-Type": form.media_type}, repeatable=True)
        except errors.ApiError as error:
            if error.rejections:
                return Posted(rejected=_counted(error.rejections,
                                                batch.first))
            if len(batch.events) == 1 and error.code == _TOO_LARGE:
                return Posted(rejected=[{
                    "index": batch.first, "code": error.code,
                    "message": error.message}])
            raise
        return Posted(answer["accepted"],
                      _counted(answer["rejected"], batch.first),
                      answer["event_ids"])

    def _together(self, results: Iterable[Posted]) -> Posted:
        accepted, rejected, event_ids = 0, [], []
        for one in results:
            accepted += one.accepted
            rejected += one.rejected
            event_ids += one.event_ids
        if rejected and not accepted:
            first = rejected[0]
            rest = len(rejected) - 1
            raise errors.Unprocessable(
                f"events[{first['index']}]: {first['message']}"
                + (f"; nor were the {rest} others accepted" if rest else ""),
                status=422, code=first["code"], rejections=rejected,
                where=f"events[{first['index']}]")
        return Posted(accepted, rejected, event_ids)

    # -- out

    def list(self, *, limit: int | None = None, page_size: int | None = None,
             **given: Any) -> Pages:
        """Return events, newest first, page by page as they are needed.

        :param limit: events at most, None for all
        :param given: filters, see :func:`.filters.of_events`
        """
        return Pages(self._transport, PATH, "events",
                     filters.of_events(**given), limit, page_size)

    def recent(self, *, limit: int | None = None, by: str | None = None,
               last: int | None = None, **given: Any) -> Pages:
        """Return the last events, newest first, as the API remembers them.

        It knows those too that no search finds yet; how many it remembers is
        its own affair. One that is very long comes without its payload, and
        ``marks.truncated`` says so.

        :param limit: events at most, None for all that it remembers
        :param by: ``event_type`` or ``source``: the last ones of each
        :param last: so many, or so many of each group
        :param given: filters, see :func:`.filters.of_events`
        """
        return Pages(self._transport, f"{PATH}/recent", "events",
                     filters.of_events(by=by, last=last, **given), limit)

    def get(self, event_id: str, *, project_id: str | None = None,
            all_projects: bool = False) -> dict[str, Any]:
        """Return one event.

        :raises NotFound: there is none, or it is another project's
        """
        return self._transport.json(
            "GET", f"{PATH}/{quote(event_id)}", query=filters.of_listing(
                project_id=project_id, all_projects=all_projects))

    def types(self, **given: Any) -> dict[str, Any]:
        """Return ``{"types": [{"event_type", "count"}], "truncated"}``.

        :param given: filters, see :func:`.filters.of_events`
        """
        return self._transport.json("GET", f"{PATH}/types",
                                    query=filters.of_events(**given))

    def traits(self, *, event_type: str | None = None,
               project_id: str | None = None, all_projects: bool = False
               ) -> dict[str, Any]:
        """Return ``{"traits": [{"name", "type"}]}``, of one type or all."""
        return self._transport.json(
            "GET", f"{PATH}/traits", query=filters.of_listing(
                event_type=event_type, project_id=project_id,
                all_projects=all_projects))

    def statistics(self, *, interval: int | str | None = None,
                   by: str | None = None, **given: Any) -> dict[str, Any]:
        """Return counts by time and by group.

        ``{"interval", "buckets": [{"start", "count", "groups"}],
        "truncated"}``; buckets without events are left out.

        :param interval: seconds, or ``60m``, ``1h``, ``1d``; None for one
            bucket
        :param by: a field that can be filtered by
        :param given: filters, see :func:`.filters.of_events`
        """
        return self._transport.json(
            "GET", f"{PATH}/statistics",
            query=filters.of_events(interval=interval, by=by, **given))


def _prepared(events: Iterable[Mapping[str, Any]]
              ) -> Iterator[Mapping[str, Any]]:
    for index, event in enumerate(events):
        batches.check(event, index)
        yield batches.mint(event)


def _counted(rejected: Iterable[Mapping], first: int) -> list[dict]:
    """Return rejections whose index counts from the first of all events."""
    return [{**one, "index": one["index"] + first} for one in rejected]
