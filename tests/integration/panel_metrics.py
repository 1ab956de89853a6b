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

"""Timelines with the metrics that Gnocchi has, and without Gnocchi."""

import datetime
import re
import uuid

import requests

from monasca_events_common import event as events
from tests.integration import servers
from tests.integration.daemons import wait_for
from tests.integration.panels import Panels

#: Kept by one test to the next: Gnocchi asks Keystone who is there.
_SETTINGS = ["gnocchi:auth_mode=keystone"]

#: Per cent, of one minute after another.
VALUES = (12.5, 40.0, 97.5, 64.0, 8.25)


class MetricTests(Panels):
    """B38: metrics of a resource are on its timeline."""

    @classmethod
    def metric_settings(cls) -> str:
        """Return the lines that have timelines ask Gnocchi, which is up."""
        cls.gnocchi = cls.start_gnocchi()
        return f"""
[timeline]
sources = events,logs,firings,gnocchi
# Who is slow on a slow machine is not away.
patience = 60
[timeline_gnocchi]
endpoint = {cls.gnocchi}
timeout = 60
"""

    @staticmethod
    def start_gnocchi() -> str:
        return servers.up("keystone", "gnocchi", settings=_SETTINGS)[
            "gnocchi"]["url"]

    def call(self, method: str, path: str, token: str, **options):
        answer = requests.request(
            method, f"{self.gnocchi}{path}", timeout=60,
            headers={"X-Auth-Token": token}, **options)
        self.assertLess(answer.status_code, 300, answer.text)
        return answer.json() if answer.content else None

    def measure(self, ident: str, start: datetime.datetime) -> None:
        """Have Gnocchi know a resource of project A and what was measured
        there, from then on."""
        token = self.site.token("operator", "admin")
        made = self.call("POST", "/v1/resource/generic", token, json={
            "id": ident, "project_id": self.site.projects["A"], "metrics": {
                "cpu.util": {"archive_policy_name": "medium", "unit": "%"}}})
        metric = made["metrics"]["cpu.util"]
        self.call("POST", f"/v1/metric/{metric}/measures", token, json=[
            {"timestamp": events.format_time(
                start + datetime.timedelta(minutes=minute)), "value": value}
            for minute, value in enumerate(VALUES)])
        # Has Gnocchi take what came, as its own daemon does in a cloud.
        self.assertEqual(len(VALUES), len(self.call(
            "GET", f"/v1/metric/{metric}/measures", token, params={
                "refresh": "true", "granularity": 60})))

    def test_metrics_of_a_resource_are_drawn_below_what_happened_to_it(self):
        """B38: and where Gnocchi is away the rest is there, and that is said.
        """
        ident = str(uuid.uuid4())
        start = (self.now - datetime.timedelta(days=3)).replace(
            second=0, microsecond=0)
        ago = (self.now - start).total_seconds()
        self.post("A", [self.made(
            f"compute.instance.{name}", ago - seconds, resource_id=ident,
            resource_type="compute.instance") for name, seconds in (
                ("create.start", 0), ("create.end", 20),
                ("delete.start", 280), ("delete.end", 290))])
        self.measure(ident, start)

        def timeline() -> dict:
            return self.site.get("/v1.0/timeline", resource_id=ident)
        wait_for("all happened", lambda: len(timeline()["events"]) == 4)
        self.check_answer(timeline(), start)
        path = f"/project/events/timeline/?resource_id={ident}"

        def is_drawn() -> bool:
            self.open(path)
            return bool(self.browser.all("g.me-curve"))
        wait_for("a curve is drawn", is_drawn)
        self.check_curve()
        # Another tenant is shown none of it, by Gnocchi's own decision.
        found = self.site.get("/v1.0/timeline", "B", resource_id=ident)
        self.assertEqual(([], []), (found["events"], found["metrics"]))
        self.addCleanup(self.start_gnocchi)
        servers.kill("gnocchi")
        found = timeline()
        self.assertRegex(found["sources"]["gnocchi"]["error"],
                         "Gnocchi does not answer")
        self.assertEqual(([], 4, 2), (found["metrics"], len(found["events"]),
                                      len(found["spans"])))
        self.open(path)
        self.assertRegex(self.browser.find(".me-page .alert-warning").text,
                         "^Without gnocchi: Gnocchi does not answer")
        self.assertEqual(2, len(self.browser.all("g.me-a-span rect")))
        self.assertFalse(self.browser.all("g.me-curve"))
        self.picture("metrics-away")

    def check_answer(self, found: dict, start: datetime.datetime) -> None:
        self.assertFalse(found["sources"]["gnocchi"].get("error"))
        series, = found["metrics"]
        self.assertEqual(
            ("gnocchi", "cpu.util", "%", 60),
            (series["source"], series["name"], series["unit"],
             series["granularity"]))
        self.assertEqual([
            [start + datetime.timedelta(minutes=minute), value]
            for minute, value in enumerate(VALUES)], [
                [datetime.datetime.fromisoformat(at), value]
                for at, value in series["points"]])

    def check_curve(self) -> None:
        self.assertEqual(["cpu.util [%]"],
                         self.browser.texts(".me-metric-name"))
        self.assertEqual(["8.25 to 97.5, in the end 8.25"],
                         self.browser.texts(".me-metric .me-aside"))
        drawn, = self.browser.run(
            "return Array.from(document.querySelectorAll('g.me-curve path'),"
            " one => one.getAttribute('d'));")
        points = [tuple(map(float, one)) for one in re.findall(
            r"[ML]([\d.]+),([\d.]+)", drawn)]
        self.assertEqual(len(VALUES), len(points), drawn)
        self.assertEqual(sorted(points), points)
        # What is greater is higher, which is less from above.
        self.assertEqual(
            sorted(range(5), key=lambda one: VALUES[one]),
            sorted(range(5), key=lambda one: -points[one][1]))
        self.picture("metrics")
