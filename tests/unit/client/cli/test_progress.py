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

"""Commands that take longer than two seconds say how far they have come.

What takes them so long is an answer that comes late: not before the terminal
has told for long enough that it is waited for.
"""

import json
import re
import uuid

from tests.functional.test_dead_letters import NOW
from tests.functional.test_dead_letters import stored_letter
from tests.integration.daemons import wait_for
from tests.unit.client.cli.shell import Done
from tests.unit.client.cli.shell import Screen
from tests.unit.client.cli.shell import ShellTest
from tests.unit.client.site import fair
from tests.unit.client.site import Weather

#: Seconds for which the terminal tells of waiting, from a request on: more
#: than the two after which a command tells more.
_LONG = 4


def late(screen: Screen) -> Weather:
    """Return weather in which an answer comes after the terminal told of
    waiting for so long."""
    def waited() -> int:
        told = re.findall(r"waiting for the answer: (\d+) s", screen.text())
        return int(told[-1]) if told else 0

    def weather(application, environ, start_response):
        until = waited() + _LONG
        wait_for("the terminal tells of waiting", lambda: waited() >= until,
                 every=0.02)
        return application(environ, start_response)
    return weather


class ProgressTest(ShellTest):

    settings = {"limits__max_events": "5", "limits__default_page": "3",
                "limits__max_page": "4"}

    def setUp(self):
        super().setUp()
        self.word = uuid.uuid4().hex

    def slow(self, *arguments: str, quick: int = 0, **options) -> Done:
        """Run a command of which one request takes long.

        :param quick: so many are answered at once before it
        """
        screen = Screen(True)
        self.site.expect(*[fair] * quick, late(screen))
        done = self.event(*arguments, err=screen, cells=80, **options)
        # On standard error, and the line is gone at the end.
        self.assertRegex(done.err, r"\r\x1b\[K[^\r\x1b]*\Z")
        self.assertNotIn("\r", done.out)
        return done

    def given(self, count: int) -> list[dict]:
        return [{"event_type": "a.b", "event_id": f"{self.word}-{n}",
                 "resource_id": self.word} for n in range(count)]

    def test_posting_many_tells_how_many_were_read(self):
        """D17"""
        done = self.slow("post", "-", "-f", "json", stdin="\n".join(
            map(json.dumps, self.given(23))))
        self.assertEqual(23, done.json["accepted"])
        self.assertRegex(done.err, r"\rposting events: \d+ read")

    def test_reading_all_tells_how_many_came(self):
        """D17"""
        self.client.events.post(self.given(11)[:5])
        self.client.events.post(self.given(11)[5:10])
        self.stored(10, resource_id=self.word)
        # The first one is how many a page may have.
        done = self.slow("list", "--resource", self.word, "--limit", "0",
                         "-f", "csv", quick=1)
        self.assertEqual(10, len(done.rows))
        self.assertRegex(done.err, r"\rreading events: \d+")

    def test_replaying_many_tells_how_many_were_replayed(self):
        """F12"""
        letters = self.site.service.parts.dead_letters
        letters.put([stored_letter(f"many-{n}") for n in range(150)], NOW)
        done = self.slow("dead-letter", "replay", "--all", cloud="admin")
        self.assertRegex(done.err, r"\rreplaying: 1[05]0")
        self.assertIn("150 replayed\n", done.err)

    def test_a_back_test_tells_its_state(self):
        """Nobody runs it here, so that it waits until it is given up."""
        done = self.slow("trigger", "backtest", "--template",
                         "instance-create", "--within", "5m", "--since",
                         "1d", "--timeout", "1s", code=5)
        self.assertRegex(done.err, r"\r.*back-test: 0 events, queued")
