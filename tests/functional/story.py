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



"""A story that asks the API for everything once: where the samples are from.

Two instances are made, one of them never comes up, a trigger finds that, and
people look at all there is. Requests are sent as their samples say. Ids of
the service's own are random; in the samples stand others, the same every
time, and the story knows which one is which.

    python -m tests.functional.story

records the answers anew, after a change of what the API says.
"""

from collections.abc import Mapping
import contextlib
import datetime
import functools
import json
import pathlib
import re
import tempfile
import threading
import uuid

import httpx

from monasca_events_api import description
from monasca_events_api.description import samples
from monasca_events_common import event as events
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_engine import options as engine_options
from monasca_events_engine.backtest import Backtester
from tests.functional import service
from tests.unit.common.rules.samples import TEN
from tests.unit.engine.site import EngineSite

FOLDER = pathlib.Path(samples.__file__).parent / "samples"

#: Where the API of the samples is.
URL = "https://events.example.org"

#: The operation that gives the samples themselves, and is none of them.
WHOLE = "get_openapi_json"

#: Ids that a person of the story has.
KNOWN = {service.PROJECT: "6f70656e737461636b20342065766572",
         **{account.user_id: uuid.uuid5(uuid.NAMESPACE_URL,
                                        account.name).hex
            for account in service.ACCOUNTS.values()},
         service.ACCOUNTS["ADMIN"].project_id:
             "61646d696e20616d6f6e672074686568"}

_ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|"
                 + "|".join((*KNOWN, *KNOWN.values())))
#: What differs each time, and what a sample has of it.
_HIDDEN = ((re.compile(r"whsec_[\w+/=]+"),
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
           (re.compile(r"marker=[^&\"\s]+"), "marker=eyJ0IjogIjIwMjYifQ"),
           # Signs of life at the end of a stream.
           (re.compile(r"(?:\n\nid: [\d.]+)+\s*\Z"), "\n"),
           (re.compile('"id": "[0-9a-f]{32}"'),
            '"id": "f81d4fae7dec11d0a76500a0c91e6bf6"'),
           (re.compile('"host": "[^"]*"'), '"host": "controller-1"'))

#: Seconds for which something is waited for.
PATIENCE = 60


@functools.cache
def routes() -> Mapping[str, tuple[str, str]]:
    """Return operation → (method, path with names in braces)."""
    return {made["operationId"]: (method.upper(), path)
            for path, item in description.describe(URL)["paths"].items()
            for method, made in item.items()}


class Ids:
    """Which id of a sample is which one of this run."""

    def __init__(self) -> None:
        self._shown = dict(KNOWN)
        self._meant = {shown: meant for meant, shown in KNOWN.items()}

    def show(self, text: str, file: str) -> str:
        """Return a text of the service's as a sample has it."""
        count = 0

        def stand_in(found: re.Match) -> str:
            nonlocal count
            if found[0] not in self._shown:
                count += 1
                made = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{file}#{count}"))
                self._shown[found[0]], self._meant[made] = made, found[0]
            return self._shown[found[0]]
        return _ID.sub(stand_in, text)

    def mean(self, text: str) -> str:
        """Return a text of a sample's with this run's ids."""
        return _ID.sub(lambda found: self._meant_by(found[0]), text)

    def _meant_by(self, shown: str) -> str:
        # One that nobody gave is the sender's own.
        self._shown.setdefault(shown, shown)
        return self._meant.setdefault(shown, shown)


class Story:
    """Asks; a subclass or a caller looks at the answers.

    :ivar told: (name of a sample, status, answer as a sample has it, end of
        a file's name) in their order
    """

    def __init__(self) -> None:
        service.set_environment()
        self.told: list[tuple[str, int, str, str]] = []
        self._ids = Ids()
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        database = f"sqlite:///{folder}/engine.db"
        self.site = EngineSite(database)
        self._stack.callback(self.site.database.close)
        self.service = service.Service(
            pump=False, clock=self._clock, settings={
                "database__connection": database,
                "api__public_endpoint": URL, "live__stream_lifetime": "1.0",
                # Else it is chance in which one the project's events are.
                "sqlite_bus__partitions": "1"})
        self._stack.callback(self.service.close)
        self._client = service.client(self.service.application)
        self.method = self.mail = self.trigger = self.transform = ""
        self.events: list[str] = []

    def close(self) -> None:
        self._stack.close()

    def _clock(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(
            TEN + self.site.now, datetime.timezone.utc)

    # -- asking

    def ask(self, name: str, status: int = 200, persona: str = "MEMBER",
            **where: str):
        """Send a request and return its answer, read where it is JSON.

        :param name: of the sample, without its end
        :param where: what names in the path stand for
        """
        # What changes one after the other has an order.
        self.site.now += 1
        answer = self._send(name, persona, where)
        if answer.status_code != status:
            raise AssertionError((name, answer.status_code, answer.text))
        kind = answer.headers.get("content-type", "").partition(";")[0]
        form = {kind: form for form, kind
                in samples.MEDIA_TYPES.items()}.get(kind, "json")
        text = answer.text
        if form == "json" and text:
            text = json.dumps(answer.json(), indent=2, ensure_ascii=False
                              ) + "\n"
        for pattern, said in _HIDDEN:
            text = pattern.sub(said, text)
        if name != WHOLE:
            self.told.append((name, status, self._ids.show(
                text, f"{name}-{status}"), form))
        return answer.json() if form == "json" and text else answer.text

    def _send(self, name: str, persona: str, where: Mapping[str, str]
              ) -> httpx.Response:
        method, path = routes()[name.partition("-")[0]]
        headers = dict(service.token(persona))
        query = ""
        top, body = (FOLDER / f"{name}-request.{end}"
                     for end in ("txt", "json"))
        if top.exists():
            first, more = samples.head(self._ids.mean(top.read_text()))
            headers |= more
            verb, _, address = first.partition(" ")
            query = address.partition("?")[2]
            if not (verb == method and re.fullmatch(re.sub(
                    r"\{\w+\}", "[^/]+", path), address.partition("?")[0])):
                raise AssertionError(f"{top.name} is not {method} {path}")
        content = None
        if body.exists():
            content = self._ids.mean(body.read_text())
            headers.setdefault("Content-Type", "application/json")
        path = path.format(**where)
        return self._client.request(method, path + (query and f"?{query}"),
                                    headers=headers, content=content)

    def _until(self, what: str, is_so) -> None:
        """Return when it is so; a thread of the service's has to do it."""
        pause = threading.Event()
        for _ in range(PATIENCE * 50):
            if is_so():
                return
            pause.wait(0.02)
        raise AssertionError(f"{what} does not happen")

    # -- the story

    def tell(self) -> None:
        """Ask for everything."""
        for name in ("get_root", "get_version", "get_v1",
                     "get_healthcheck", WHOLE):
            self.ask(name)
        self._define()
        self._transform()
        # From now on, so that it knows of the transform.
        self.service.pump()
        self._post()
        self._look()
        self._fire()
        self._run_back()
        self._operate()
        self._delete()

    def _define(self) -> None:
        self.method = self.ask("post_notification_methods", 201)["id"]
        self.mail = self.ask("post_notification_methods-email", 201)["id"]
        self.ask("post_notification_methods-event", 201)
        one = {"method_id": self.method}
        self.ask("get_notification_methods")
        self.ask("get_notification_methods_method_id", **one)
        self.ask("patch_notification_methods_method_id", **one)
        self.ask("post_notification_methods_method_id_rotate", **one)
        self.ask("get_triggers_templates")
        self.ask("get_triggers_templates_template",
                 template="instance-create")
        self.trigger = self.ask("post_triggers", 201)["id"]
        for kind in ("template", "match", "threshold", "sequence",
                     "duration", "summary"):
            self.ask(f"post_triggers-{kind}", 201)
        self.ask("post_triggers-name_taken", 409)
        self.ask("post_triggers-wrong_pattern", 400)
        self.ask("get_triggers")
        one = {"trigger_id": self.trigger}
        self.ask("get_triggers_trigger_id", **one)
        self.ask("patch_triggers_trigger_id", **one)
        self.ask("patch_triggers_trigger_id-changed_meanwhile", 412, **one)
        self.ask("post_triggers_test")
        self.site.engine._follow_at = 0.0

    def _transform(self) -> None:
        one = {"transform_id": self.ask("post_transforms", 201)["id"]}
        self.transform = one["transform_id"]
        self.ask("get_transforms")
        self.ask("get_transforms_transform_id", **one)
        self.ask("patch_transforms_transform_id", **one)
        self.ask("get_transforms_transform_id_versions", **one)
        self.ask("post_transforms_test")

    def _post(self) -> None:
        self.events = self.ask("post_events", 202)["event_ids"]
        self.ask("post_events-old_form")
        self.ask("post_events-cloudevent", 202)
        self.ask("post_events-cloudevents_batch", 202)
        self.ask("post_events-cadf", 202)
        self.ask("post_events-nothing_accepted", 422)
        receipt = self.ask("post_events-receipt", 202)["job"]["id"]

        def finished() -> bool:
            return self._get(f"/v1.0/jobs/{receipt}")["status"] == "finished"
        self._until("all being stored", finished)
        self.ask("get_jobs_receipt_id", receipt_id=receipt)

    def _get(self, path: str, persona: str = "MEMBER"):
        return self._client.get(path, headers=service.token(persona)).json()

    def _look(self) -> None:
        one = {"event_id": self.events[1]}
        stored, = self._get("/v1.0/events/statistics")["buckets"]
        # It is read from the bus by another thread than what is stored.
        self._until("all being remembered", lambda: self._get(
            "/v1.0/events/recent")["counters"]["remembered"]
            == stored["count"])
        for name in ("get_events", "get_events-csv", "get_events-ndjson",
                     "get_events-cloudevents", "get_events_types",
                     "get_events_traits", "get_events_statistics",
                     "get_events_recent"):
            self.ask(name)
        self.ask("get_events-unknown_parameter", 400)
        self.ask("get_events_event_id", **one)
        self.ask("get_events_event_id-cloudevent", **one)
        self.ask("get_events_event_id-not_found", 404,
                 event_id=str(uuid.UUID(int=0)))
        self.ask("get_events_stream")

    def _fire(self) -> None:
        for event_id in self.events:
            self.site.send(self._get(f"/v1.0/events/{event_id}"))
        one = {"trigger_id": self.trigger}
        self.site.pass_to(200)
        self.ask("get_triggers_trigger_id_explain", **one)
        self.site.pass_to(700)
        self.ask("get_firings")
        firing = self.ask("get_triggers_trigger_id_firings", **one)[
            "firings"][0]
        one["firing_id"] = firing["firing_id"]
        self._put(firing, status="parked", attempts=8,
                  last_error="the receiver answered 500")
        self.ask("get_triggers_trigger_id_firings_firing_id", **one)
        self.ask("post_triggers_trigger_id_firings_firing_id_redeliver",
                 202, **one)
        self._put(firing, status="waiting", next_at=TEN + 1000)
        path = "post_triggers_trigger_id_firings_firing_id_cancel"
        self.ask(path, 202, **one)
        self.ask(f"{path}-nothing_waits", 409, **one)
        one = {"method_id": self.method}
        self.ask("post_notification_methods_method_id_test", 202, **one)
        self.ask("get_notification_methods_method_id_deliveries", **one)
        self.ask("get_timeline")

    def _put(self, firing: Mapping, **values) -> None:
        """Change the deliveries of a firing as the dispatcher would."""
        with self.site.database.begin() as connection:
            connection.execute(DELIVERIES.update().where(
                DELIVERIES.c.firing_id == firing["firing_id"]
            ).values(**values))

    def _run_back(self) -> None:
        job = self.ask("post_triggers_backtest-not_waited_for", 202)["id"]
        for group, opts in engine_options.groups():
            self.service.parts.conf.register_opts(opts, group=group)
        worker = Backtester(self.service.parts.database,
                            lambda: self.service.parts.store,
                            self.service.parts.conf,
                            lambda: self._clock().timestamp())
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        try:
            self._until("the back-test", lambda: self._get(
                f"/v1.0/triggers/backtest/{job}")["status"] == "finished")
            self.ask("get_triggers_backtest_job_id", job_id=job)
            self.ask("post_triggers_backtest")
        finally:
            stop.set()
            thread.join(PATIENCE)
        self.ask("delete_triggers_backtest_job_id", 204, job_id=job)

    def _operate(self) -> None:
        letters = self.service.parts.dead_letters
        letters.put([_letter(at) for at in range(7)],
                    events.format_time(self._clock()))
        self.ask("get_dead_letters", persona="ADMIN")
        first, second, *_ = (str(one.id) for one in letters.list())
        self.ask("get_dead_letters_letter", persona="ADMIN", letter=first)
        self.ask("post_dead_letters_letter_replay", 202, "ADMIN",
                 letter=first)
        self.ask("delete_dead_letters_letter", 204, "ADMIN", letter=second)
        self.ask("post_dead_letters_replay", 202, "ADMIN")
        self.ask("post_dead_letters_purge", persona="ADMIN")
        self.ask("post_dead_letters_purge-all", persona="ADMIN")
        letters.trip("engine", "52 of the last 60 records were rejected",
                     events.format_time(self._clock()))
        self._until("all being read", lambda: not self._get(
            "/v1.0/services/persister", "ADMIN")["lag"]["records"])
        self.ask("get_services", persona="ADMIN")
        self.ask("get_services_service", persona="ADMIN", service="engine")
        self.ask("post_services_service_resume", 202, "ADMIN",
                 service="engine")

    def _delete(self) -> None:
        self.ask("delete_notification_methods_method_id-in_use", 409,
                 method_id=self.method)
        self.ask("delete_notification_methods_method_id-forced", 204,
                 method_id=self.method)
        self.ask("delete_notification_methods_method_id", 204,
                 method_id=self.mail)
        self.ask("delete_triggers_trigger_id", 204,
                 trigger_id=self.trigger)
        self.ask("delete_transforms_transform_id", 204,
                 transform_id=self.transform)


def _letter(at: int) -> DeadLetter:
    """Return a dead letter that can be replayed."""
    return DeadLetter(
        stage="persister", code="invalid_timestamp", error="Rejected",
        reason="'yesterday' is not a time; expected ISO 8601",
        position=f"monevents/0/{2158 + at}", project_id=service.PROJECT,
        raw=b'{"event_type": "shop.order.placed", "timestamp": "yesterday"}',
        headers={"event_type": "shop.order.placed"})


def record() -> None:
    """Write the answers of the story as samples."""
    story = Story()
    try:
        story.tell()
    finally:
        story.close()
    for name, status, text, form in story.told:
        if text:
            (FOLDER / f"{name}-{status}.{form}").write_text(text, "utf-8")


if __name__ == "__main__":
    record()
