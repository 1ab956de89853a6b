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


"""Events and log lines of a timeline, from the store."""

from collections.abc import Iterable, Mapping, Sequence

import orjson

from monasca_events_api.inputs import cadf
from monasca_events_api.timeline import Findings
from monasca_events_api.timeline import GROUP
from monasca_events_api.timeline import Source
from monasca_events_api.timeline import Subject
from monasca_events_common import event as events
from monasca_events_common.query import MAX_VALUES
from monasca_events_common.query import Query
from monasca_events_common.query import Term

#: Events that one question to the store asks for.
_PAGE = 500

#: Characters of a log line that are shown.
_LINE = 2000

#: Keys of a payload under which a line stands, in this order.
_MESSAGES = ("message", "msg", "MESSAGE", "log")

AUDIT = "audit."

_REQUESTS = ("request_id", "global_request_id")


class _Stored(Source):
    """Searches the store."""

    def _log_sources(self) -> Sequence[str]:
        return self.reach.conf[GROUP].log_sources

    def _search(self, subject: Subject, terms: Sequence[Term],
                words: Sequence[str] = ()) -> tuple[list[dict], bool]:
        """Return the newest events, and whether there are older ones."""
        found: list[dict] = []
        marker = None
        while True:
            room = subject.limit - len(found)
            page = self.reach.store.search(subject.project_id, Query(
                terms=terms, words=words, since=subject.since,
                until=subject.until, limit=min(_PAGE, room), marker=marker))
            found += map(orjson.loads, page.events)
            marker = page.marker
            if marker is None or len(found) >= subject.limit:
                return found, marker is not None


class Events(_Stored):
    """Events of the resource or the request, of every service.

    To a resource belongs also what happened in the requests that concern it:
    the port and the volume of a server that is being made. What a service did
    because another one asked it has that one's request id as its global one.
    """

    KEY = "events"

    def find(self, subject: Subject) -> Findings:
        field = "request_id" if subject.is_request else "resource_id"
        own, truncated = self._search(
            subject, self._terms(Term(field, "eq", (subject.ident,))))
        found = {one["event_id"]: shown(one, False) for one in own}
        if subject.related:
            for one, is_cut in self._related(subject, own):
                truncated = truncated or is_cut
                for event in one:
                    found.setdefault(event["event_id"], shown(event, True))
        return _newest(found, subject.limit, truncated)

    def _terms(self, *terms: Term) -> list[Term]:
        sources = tuple(self._log_sources())[:MAX_VALUES]
        return [*terms, Term("source", "ne", sources)] if sources \
            else list(terms)

    def _related(self, subject: Subject, own: Iterable[dict]
                 ) -> Iterable[tuple[list[dict], bool]]:
        """Yield what happened in the same requests, by either id."""
        if subject.is_request:
            requests = [subject.ident]
        else:
            requests = list(dict.fromkeys(
                one[name] for one in own
                for name in _REQUESTS if one[name]))
        # The newest ones: own is newest first.
        chosen = tuple(requests[:MAX_VALUES])
        if not chosen:
            return
        names = _REQUESTS[1:] if subject.is_request else _REQUESTS
        for name in names:
            found, is_cut = self._search(
                subject, self._terms(Term(name, "eq", chosen)))
            yield found, is_cut or len(chosen) < len(requests)


class Logs(_Stored):
    """Lines of logs that hold the id, as a field or as a word.

    To a resource belong also lines of the requests that concern it, and to a
    request those of what was done for it; such a line says in a field of
    which request it is.
    """

    KEY = "logs"
    AFTER_EVENTS = True

    def find(self, subject: Subject) -> Findings:
        sources = tuple(self._log_sources())[:MAX_VALUES]
        words = tuple(events.words([subject.ident]))
        if not sources or not words:
            return Findings(())
        # Words are of what a line says, not of its fields.
        names = _REQUESTS if subject.is_request else ("resource_id",)
        wanted = [(False, None, words)] + [
            (False, Term(name, "eq", (subject.ident,)), ()) for name in names]
        chosen = tuple(subject.requests[:MAX_VALUES])
        truncated = False
        if subject.related and chosen:
            wanted += [(True, Term(name, "eq", chosen), ())
                       for name in _REQUESTS]
            truncated = len(chosen) < len(subject.requests)
        found: dict[str, dict] = {}
        for is_related, term, words in wanted:
            some, is_cut = self._search(
                subject, [Term("source", "eq", sources),
                          *([term] if term else [])], words)
            truncated = truncated or is_cut
            for one in some:
                found.setdefault(one["event_id"], line(one, is_related))
        return _newest(found, subject.limit, truncated)


def _newest(found: Mapping[str, dict], limit: int, truncated: bool
            ) -> Findings:
    """Return so many at most of what was found, by its id."""
    ordered = sorted(found.values(), key=lambda one: (
        one["timestamp"], one["event_id"]))
    cut = ordered[-limit:]
    return Findings(cut, truncated or len(cut) < len(ordered))


def shown(event: dict, related: bool) -> dict:
    """Return an event as a timeline shows it: without its payload.

    :param related: whether it is of the same request only
    """
    made = {name: value for name, value in event.items()
            if name != "payload"}
    # Keystone's own events are CADF under names of Keystone's.
    is_audit = event["event_type"].startswith(AUDIT) \
        or cadf.is_event(event["payload"])
    made["kind"] = "audit" if is_audit else "event"
    made["related"] = related
    return made


def line(event: dict, related: bool) -> dict:
    """Return a line of a log as a timeline shows it.

    :param related: whether it only says that it is of the same request
    """
    payload = event["payload"]
    text = next((payload[name] for name in _MESSAGES
                 if type(payload.get(name)) is str), None)
    made = {name: event[name] for name in (
        "event_id", "project_id", "timestamp", "event_type", "priority",
        "publisher_id", "source", "resource_id", "request_id")}
    made["message"] = None if text is None else text[:_LINE]
    made["related"] = related
    return made
