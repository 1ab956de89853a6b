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

"""``event tail`` as somebody types it."""

import json
import threading
import uuid

from monasca_events_client.cli.tail import line
from tests.unit.client.cli.shell import Done
from tests.unit.client.cli.shell import Screen
from tests.unit.client.cli.shell import ShellTest
from tests.unit.client.site import refuse


class TailCase(ShellTest):

    settings = {"live__heartbeat": "0.1"}

    def setUp(self):
        super().setUp()
        self.word = uuid.uuid4().hex

    def post(self, *types: str, **fields) -> None:
        for one in types:
            self.client.events.post([{
                "event_type": one, "resource_id": self.word, **fields}])

    def tail(self, *arguments: str, before: int = 2, **options) -> Done:
        """Return what is shown of three events that come meanwhile.

        :param before: lines after which they come: who comes while it looks
            for what was is counted among that
        """
        streams = self.site.service.parts.live.streams
        while streams.count:  # of a tail before, which has ended
            threading.Event().wait(0.01)

        out = Screen("cells" in options)
        ended = threading.Event()

        def post():
            while not streams.count or out.text().count("\n") < before:
                if ended.wait(0.01):
                    return
            self.post("new-1", "new-2", "new-3", traits={"n": 7})
        poster = threading.Thread(target=post)
        poster.start()
        try:
            return self.event("tail", *arguments, out=out, **options)
        finally:
            ended.set()
            poster.join()


class UnstoredTest(TailCase):
    """Nothing is stored: as soon after a POST as this no search finds it."""

    @classmethod
    def arguments(cls) -> dict:
        return {**super().arguments(), "pump": False}

    def test_what_no_search_finds_yet_is_shown_too(self):
        self.post("before-1", "before-2")
        self.remembered(2, resource_id=self.word)
        done = self.tail("--resource", self.word, "--count", "3")
        self.assertEqual(["before-1", "before-2", "new-1", "new-2", "new-3"],
                         [one.split()[3] for one in done.lines])
        self.post("before-3")
        self.remembered(6, resource_id=self.word)
        done = self.tail("--resource", self.word, "--lines", "1", "--count",
                         "1", before=1)
        self.assertEqual(["before-3", "new-1"],
                         [one.split()[3] for one in done.lines])


class TailTest(TailCase):

    def setUp(self):
        super().setUp()
        self.post("before-1", "before-2")
        self.stored(2, resource_id=self.word)

    def test_what_was_and_what_comes_is_shown_in_order(self):
        done = self.tail("--resource", self.word, "--count", "3")
        self.assertEqual(["before-1", "before-2", "new-1", "new-2", "new-3"],
                         [one.split()[3] for one in done.lines])
        self.assertTrue(done.lines[2].endswith(f"{self.word}  n=7"))

    def test_programs_get_whole_events(self):
        done = self.tail("--resource", self.word, "--count", "2", "--lines",
                         "0", "-f", "json", before=0)
        found = [json.loads(one) for one in done.lines]
        self.assertEqual(["new-1", "new-2"],
                         [one["event_type"] for one in found])
        self.assertEqual({"n": 7}, found[0]["traits"])

    def test_filters_and_patterns_narrow_it(self):
        for arguments in (["--type", "new-3"], ["--type", "new-*",
                                                "--word", "new-3"],
                          ["--pattern", '{"event_type": ["new-3"]}']):
            with self.subTest(arguments=arguments):
                done = self.tail(*arguments, "--count", "1", "--lines", "0",
                                 before=0)
                self.assertEqual(["new-3"], [
                    one.split()[3] for one in done.lines])

    def test_what_was_left_out_is_told_and_a_broken_one_goes_on(self):
        """S17: it says so between the lines, and asks again by itself."""
        self.site.expect(refuse(
            "200 OK", b"retry: 10\n\nevent: gap\n"
            b'data: {"reason":"too_slow","missed":37}\n\n'
            b'event: gap\ndata: {"reason":"forgotten","missed":null}\n\n',
            ("Content-Type", "text/event-stream")))
        done = self.tail("--resource", self.word, "--count", "3", "--lines",
                         "0", before=0)
        self.assertEqual(["new-1", "new-2", "new-3"],
                         [one.split()[3] for one in done.lines])
        self.assertEqual(
            "events were left out here, up to 37; 'openstack event list' has "
            "them\nevents were left out here; 'openstack event list' has "
            "them\n", done.err)
        self.assertLessEqual(2, self.site.requests.count(
            "GET /v1.0/events/stream"))

    def test_a_line_fits_into_the_terminal(self):
        done = self.tail("--resource", self.word, "--count", "1", cells=50)
        self.assertEqual({50}, {len(one) for one in done.lines[:1]})
        self.assertTrue(done.lines[0].endswith("…"))

    def test_what_is_wrong_is_told(self):
        self.assertIn("not JSON", self.event(
            "tail", "--pattern", "{", code=2).err)
        self.assertIn("expected", self.event(
            "tail", "--pattern", '{"event_type": 7}', code=1).err)
        self.event("tail", "--since", "1h", code=2)
        self.event("tail", cloud="no_role", code=4)

    def test_a_line_cannot_steer_a_terminal(self):
        """S16"""
        wrong = "\x1b[2J\nforged"
        self.assertNotRegex(line({
            "timestamp": "2026-11-22T10:00:00.000000Z", "event_type": wrong,
            "priority": wrong, "resource_type": wrong, "resource_id": wrong,
            "traits": {wrong: wrong}}), "[\x1b\n]")
