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


"""Dead letters of every stage, replayed while the daemons run (R2): what a
stage gave up on becomes its tenant's searchable event."""

import json
import pathlib
import shutil
import tempfile
import unittest
import uuid

from monasca_events_api.app import utc_now as clock
from monasca_events_common import event as events
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from tests.integration.daemons import wait_for
from tests.integration.sites import EmbeddedSite
from tests.unit.common.test_event import complete


def utc_now() -> str:
    """Return the time as events have it: the API refuses what is too old."""
    return events.format_time(clock())


class TestReplay(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.site = EmbeddedSite(folder)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()
        cls.letters = DeadLetters(
            f"sqlite:///{cls.site.layout.root}/dead-letters.db")
        cls.addClassCleanup(cls.letters.close)

    def setUp(self):
        self.word = "w" + uuid.uuid4().hex
        self.source_id = str(uuid.uuid4())
        self.letters.remove([one.id for one in self.letters.list()])

    def put(self, stage: str, raw: bytes, **more) -> int:
        self.letters.put([DeadLetter(
            stage=stage, code="test", reason="a test", error="Rejected",
            position=f"test/{self.source_id}", raw=raw, **more)], utc_now())
        return self.letters.list(stage=stage)[-1].id

    def replay(self, *arguments: str, status: int = 0):
        done = self.site.daemons.run("dead-letters", "replay", *arguments)
        self.assertEqual(status, done.returncode, done.stderr)
        return done

    def event(self) -> dict:
        """Return a canonical event of project A, with the test's word."""
        project_id, now = self.site.projects["A"], utc_now()
        return complete(
            event_id=events.event_id(project_id, self.source_id),
            project_id=project_id, timestamp=now, received_at=now,
            payload={"text": f"has {self.word} in it"})

    def bury_as_persister(self, event: dict) -> int:
        """As the stream loop does it: without the header ``index``."""
        record = events.record(event)
        return self.put(
            "persister", record.value, project_id=event["project_id"],
            headers={name: value.decode("latin-1") for name, value
                     in record.headers.items() if name != "index"})

    def assert_found(self, project: str = "A") -> dict:
        """Wait until a search for the word finds the event, and it alone."""
        found = wait_for("the event is searchable", lambda: self.site.get(
            "/v1.0/events", project, q=self.word)["events"])
        self.assertEqual([self.site.projects[project]],
                         [one["project_id"] for one in found])
        return found[0]

    def test_a_letter_of_the_persister_goes_back_onto_the_bus(self):
        event = self.event()
        number = self.bury_as_persister(event)
        self.assertEqual("1 replayed, 0 failed\n",
                         self.replay(str(number)).stdout)
        self.assertEqual(event, self.assert_found())
        self.assertEqual([], self.letters.list())

    def test_replaying_twice_is_one_event(self):
        event = self.event()
        for _ in range(2):
            self.bury_as_persister(event)
            self.replay("--stage", "persister", "--all")
        # One project's records keep their order: what is replayed last shows
        # that both before it have passed.
        last = f"last{self.word}"
        self.bury_as_persister({
            **event, "payload": {"text": last}, "event_id": events.event_id(
                event["project_id"], last)})
        self.replay("--all")
        wait_for("the last is searchable", lambda: self.site.get(
            "/v1.0/events", q=last)["events"])
        self.assertEqual(event, self.assert_found())

    def test_a_letter_of_the_agent_goes_through_the_pipeline(self):
        notification = {
            "message_id": self.source_id, "publisher_id": "compute.c1",
            "event_type": "compute.instance.create.end", "priority": "INFO",
            "timestamp": utc_now(), "payload": {
                "tenant_id": self.site.projects["B"],
                "instance_id": str(uuid.uuid4()),
                "display_name": self.word}}
        number = self.put("agent", json.dumps(notification).encode())
        self.replay(str(number))
        found = self.assert_found("B")
        self.assertEqual("compute.instance.create.end", found["event_type"])
        self.assertEqual(events.event_id(self.site.projects["B"],
                                         self.source_id), found["event_id"])
        self.assertEqual([], self.letters.list())

    def test_a_letter_that_is_refused_again_stays(self):
        number = self.put("agent", b'{"event_type": 7}')
        done = self.replay(str(number), status=1)
        self.assertEqual("0 replayed, 1 failed\n", done.stdout)
        self.assertRegex(done.stderr, rf"^{number}: [^\n]*event_type[^\n]*\n$")
        self.assertEqual([number],
                         [one.id for one in self.letters.list()])

    def test_a_letter_of_the_poster_goes_by_way_of_the_spool(self):
        event = self.event()
        number = self.put("poster", events.encode(event),
                          project_id=event["project_id"])
        self.replay(str(number))
        found = self.assert_found()
        self.assertEqual(event["payload"], found["payload"])
        self.assertEqual([], self.letters.list())
