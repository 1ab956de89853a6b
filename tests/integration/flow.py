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

"""The main job, end to end, on whatever site a subclass provides."""

from collections.abc import Iterator
import contextlib
import pathlib
import shutil
import tempfile

import orjson
import requests

from monasca_events_agent.traffic import canaries
from monasca_events_agent.traffic import truth as truths
from tests.integration.daemons import wait_for
from tests.integration.sites import Site

# What poison is known by, when 13 is the seed.
POISON = "POISON-13-"


class FlowTests:
    """What every site must do; mixed into a TestCase with ``make_site``."""

    #: Notifications of the main flow.
    count = 2000

    @classmethod
    def make_site(cls, folder: pathlib.Path) -> Site:
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.site = cls.make_site(cls.folder)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()

    def truth(self, name: str) -> pathlib.Path:
        return self.folder / f"{name}.truth"

    def test_what_was_sent_is_found_by_its_tenant_and_nobody_else(self):
        # B4–B11, B14–B18, B22–B24, D1, D4–D6, D13, D16, M1, M3, T2, T3, T7,
        # T8, T12, T16: sent = stored + dead.
        truth = self.truth("main")
        self.site.generate(truth, self.count, "--seed", "11", "--duplicates",
                           "0.05", "--shuffle", "50", "--missing-ends",
                           "0.05", "--nova-format", "both")
        report = self.site.settle(truth)
        self.assertTrue(report.ok, report.text())
        self.assertGreater(report.stored, self.count * 0.9)
        self.assertGreater(report.repetitions, 0)
        self.assert_stages_balance()

    def assert_stages_balance(self):
        # §2.1 of the promise: received = passed + dead + dropped, per stage.
        # What is counted last may be counted a little after all is stored.
        with contextlib.suppress(AssertionError):
            wait_for("the stages balance", self.balances)
        self.check_balance()

    def balances(self) -> bool:
        try:
            self.check_balance()
        except (AssertionError, requests.RequestException):
            return False
        return True

    def check_balance(self) -> None:
        stages = self.site.balances()
        self.assertLessEqual({"agent", "poster", "api", "persister"},
                             set(stages))
        for name, stage in stages.items():
            if "received_total" not in stage:
                continue
            ends = sum(stage.get(f"{end}_total", 0) for end in
                       ("passed", "dead", "dropped", "rejected"))
            self.assertEqual(stage["received_total"], ends, (name, stage))
            self.assertEqual(0, stage.get("in_flight", 0), (name, stage))
        self.assertEqual(stages["agent"]["passed_total"],
                         stages["poster"]["passed_total"])

    def test_poison_dies_with_its_reason_and_the_good_ones_live(self):
        # F12: of each kind what it deserves, and nothing restarts.
        before = self.site.processes()
        truth = self.truth("poison")
        self.site.generate(truth, 400, "--seed", "12", "--poison", "0.15")
        report = self.site.settle(truth)
        self.assertTrue(report.ok, report.text())
        sent = [one.poison for one in truths.read(str(truth)) if one.poison]
        kinds = {one["kind"] for one in sent}
        self.assertGreaterEqual(len(kinds), 20, sorted(kinds))
        self.assertEqual(report.sent, report.stored + report.dead)
        self.assertGreaterEqual(report.dead, sum(
            one["expect"] == "dead" for one in sent))
        self.assertLessEqual(report.dead, sum(
            one["expect"] != "stored" for one in sent))
        for letter in self.site.dead_letters():
            self.assertTrue(letter.code and letter.reason, letter)
        self.assertEqual(before, self.site.processes())

    def test_no_planted_secret_reaches_a_disk_of_ours(self):
        # S14, S14b: spool, bus, store, dead letters, logs. Beside each secret
        # stands a beacon: what does not find those would find no secret.
        truth = self.truth("canaries")
        self.assertEqual(0, self.site.daemons.stop("api"))
        self.site.generate(truth, 800, "--seed", "13", "--canaries",
                           "--poison", "0.05")
        planted = [one for one in truths.read(str(truth)) if one.canary]
        self.assertGreaterEqual(len({one.canary["place"]
                                     for one in planted}), 40)
        beacons = {one.canary["word"].replace("CANARY", "BEACON")
                   for one in planted}
        spool = self.own_places()["spool"]
        wait_for("the spool has all beacons", lambda: self.on_disk(
            spool, canaries.BEACON) >= beacons, 120, every=1.0)
        self.assertEqual(set(), self.on_disk(spool))
        self.site.daemons.start("api")
        self.site.await_api()
        report = self.site.settle(truth)
        self.assertTrue(report.ok, report.text())
        self.assertGreater(report.dead, 0)
        self.write_out()
        self.assertEqual([], canaries.hits(self.places_on_disk())[:5])
        self.assert_beacons_are_on_disk(beacons)
        self.assert_no_secret_is_shown(beacons)

    def assert_beacons_are_on_disk(self, beacons: set[str]) -> None:
        own = self.own_places()
        places = self.places_on_disk()
        for path in (path for paths in own.values() for path in paths):
            self.assertTrue(any(path == place or path.startswith(f"{place}/")
                                for place in places), path)
        self.assertLessEqual(beacons, self.on_disk(own["bus"],
                                                   canaries.BEACON))
        # What is compressed cannot be seen, but not all is.
        self.assertTrue(beacons & self.on_disk(own["store"],
                                               canaries.BEACON))
        self.assertTrue(self.on_disk(own["dead letters"], POISON))

    def assert_no_secret_is_shown(self, beacons: set[str]) -> None:
        """Search what the stores give back, which is not compressed."""
        shown = b"\n".join(self.shown())
        self.assertEqual(set(), canaries.words(shown))
        self.assertLessEqual(beacons, canaries.words(shown, canaries.BEACON))
        dead = b"\n".join(one.raw for one in self.site.dead_letters())
        self.assertEqual(set(), canaries.words(dead))
        self.assertTrue(canaries.words(dead, POISON))

    def write_out(self) -> None:
        """Have stores write to disk what they have only in memory."""

    def on_disk(self, paths: list[str],
                word: str = canaries.SECRET) -> set[str]:
        return {found for _file, found in canaries.hits(paths, word)}

    def places_on_disk(self) -> list[str]:
        """Return the files and folders where a secret must not be."""
        raise NotImplementedError

    def own_places(self) -> dict[str, list[str]]:
        """Return those among them where this site's spool, bus, store and
        dead letters are."""
        raise NotImplementedError

    def shown(self) -> Iterator[bytes]:
        """Return all that the store holds of each event, decompressed."""
        for name in ("A", "B"):
            yield from map(orjson.dumps, self.site.events(name))
        yield from map(orjson.dumps, self.site.others_events())

    def test_a_tenant_asks_by_field_word_time_and_count(self):
        truth = self.truth("search")
        self.site.generate(truth, 200, "--seed", "14", "--services", "nova")
        self.site.settle(truth)
        wanted = "compute.instance.create.end"
        for project in ("A", "B"):
            found = self.site.get("/v1.0/events", project, event_type=wanted,
                                  limit=500)["events"]
            self.assertEqual({self.site.projects[project]},
                             {one["project_id"] for one in found})
            self.assertEqual({wanted}, {one["event_type"] for one in found})
            resource = found[0]["resource_id"]
            by_word = self.site.get("/v1.0/events", project, q=resource,
                                    limit=500)["events"]
            self.assertIn(found[0]["event_id"],
                          [one["event_id"] for one in by_word])
            other = "B" if project == "A" else "A"
            self.assertEqual([], self.site.get(
                "/v1.0/events", other, q=resource)["events"])
            answer = self.site.call(
                "GET", f"/v1.0/events/{found[0]['event_id']}",
                self.site.token(other, "member"))
            self.assertEqual(404, answer.status_code)
            types = {one["event_type"]: one["count"] for one in self.site.get(
                "/v1.0/events/types", project)["types"]}
            self.assertEqual(len(found), types[wanted])
