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


"""Back-tests through the API, with a worker beside it; B34."""

import tempfile
import threading
import unittest

from monasca_events_common import event as events
from monasca_events_common.store import Document
from monasca_events_engine import options as engine_options
from monasca_events_engine.backtest import Backtester
from tests.functional import service
from tests.integration.daemons import wait_for
from tests.unit.common.rules import samples

DRAFT = {"kind": "match", "group_by": ["resource_id"],
         "pattern": {"event_type": ["shop.order.placed"],
                     "traits": {"total": [{"numeric": [">=", 1000]}]}}}


@unittest.skipIf(service.is_live(), "these tests start a worker themselves")
class BacktestsTest(unittest.TestCase):

    def setUp(self):
        service.set_environment()
        self.service = service.Service(pump=False, settings={
            "database__connection": self.make_database(),
            "database__auto_upgrade": "true"})
        self.addCleanup(self.service.close)
        self.parts = self.service.parts
        self.client = service.client(self.service.application)
        self.stop = threading.Event()

    def make_database(self) -> str:
        """Return the URL of an empty database; others override it."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return f"sqlite:///{folder.name}/definitions.db"

    def work(self):
        """Start the worker that an engine has."""
        for group, opts in engine_options.groups():
            self.parts.conf.register_opts(opts, group=group)
        worker = Backtester(self.parts.database, lambda: self.parts.store,
                            self.parts.conf)
        thread = threading.Thread(target=worker.run, args=(self.stop,))
        thread.start()
        self.addCleanup(thread.join, 30)
        self.addCleanup(self.stop.set)

    def write(self, count: int = 20):
        some = [samples.event(
            "shop.order.placed", n, project_id=service.PROJECT,
            resource_id=f"order-{n}", traits={"total": 100.0 * n})
            for n in range(count)]
        records = [events.record(one) for one in some]
        self.parts.store.write([Document(
            one["project_id"], one["event_id"], one["event_type"],
            one["timestamp"], record.value, record.headers["index"])
            for one, record in zip(some, records, strict=True)])

    def call(self, method, path, status=200, persona="MEMBER", **request):
        answer = self.client.request(method, f"/v1.0/{path}",
                                     headers=service.token(persona),
                                     **request)
        self.assertEqual(status, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def begin(self, status, wait, **body):
        return self.call(
            "POST", f"triggers/backtest?wait={wait}", status,
            json={"since": samples.stamp(0), "until": samples.stamp(3600),
                  **body})

    def finish(self, **body):
        """Begin one until it is done while the request waits for it.

        That takes a few hundredths of a second, unless the machine is busy.
        """
        self.parts.conf.set_override("backtests", -1, group="quotas")
        answer = wait_for("it is answered at once", lambda: (
            one if (one := self.client.post(
                "/v1.0/triggers/backtest?wait=10",
                headers=service.token("MEMBER"),
                json={"since": samples.stamp(0),
                      "until": samples.stamp(3600), **body})
            ).status_code != 202 else None))
        self.assertEqual(200, answer.status_code, answer.text)
        return answer.json()

    def test_what_is_done_soon_is_answered_at_once(self):
        method = self.call("POST", "notification-methods", 201, json={
            "name": "hook", "type": "webhook",
            "address": "https://hooks.example.org"})["id"]
        self.write()
        self.work()
        found = self.finish(trigger={
            **DRAFT, "notify": {"fired": [method]}})
        self.assertEqual(
            ("finished", 10, {"fired": 10}, False),
            tuple(found[name] for name in (
                "status", "firings_total", "by_outcome", "truncated")))
        self.assertEqual({"resource_id": "order-10"},
                         found["firings"][0]["key"])
        self.assertEqual([{"method_id": method, "action": "webhook"}],
                         found["firings"][0]["notifications"])
        self.assertEqual((20, 20, 1.0), tuple(
            found["progress"][name] for name in ("events", "of", "share")))
        self.assertNotIn("attempts", found)
        self.assertEqual(found, self.call(
            "GET", f"triggers/backtest/{found['id']}", persona="READER"))
        # Nothing was really found, nothing is to be sent.
        self.assertEqual([], self.call("GET", "firings")["firings"])
        self.assertEqual([], self.call(
            "GET", f"notification-methods/{method}/deliveries"
        )["deliveries"])

    def test_what_takes_longer_is_asked_about(self):
        self.write()
        found = self.begin(202, 0.1, trigger=DRAFT)
        self.assertEqual("queued", found["status"])
        self.work()
        done = wait_for("it is finished", lambda: (
            one if (one := self.call(
                "GET", f"triggers/backtest/{found['id']}")
            )["status"] == "finished" else None), every=0.02)
        self.assertEqual(10, done["firings_total"])

    def test_a_trigger_that_is_there_is_run_as_itself(self):
        self.write()
        self.work()
        made = self.call("POST", "triggers", 201,
                         json={"name": "large", **DRAFT})
        found = self.finish(trigger_id=made["id"], limit_firings=1)
        self.assertEqual((made["id"], "large"), (
            found["trigger_id"], found["firings"][0]["trigger_name"]))
        self.assertTrue(found["truncated"])

    def test_a_project_has_a_few_at_a_time(self):
        first = self.begin(202, 0, trigger=DRAFT)
        self.begin(202, 0, trigger=DRAFT)
        refused = self.begin(403, 0, trigger=DRAFT)
        self.assertEqual("quota_exceeded", refused["errors"][0]["code"])
        self.call("DELETE", f"triggers/backtest/{first['id']}", 204)
        self.assertEqual("cancelled", self.call(
            "GET", f"triggers/backtest/{first['id']}")["status"])
        self.begin(202, 0, trigger=DRAFT)
        self.parts.conf.set_override("backtests", -1, group="quotas")
        self.begin(202, 0, trigger=DRAFT)

    def test_what_cannot_be_done_says_why(self):
        self.write()
        self.work()
        self.parts.conf.set_override("max_groups", 1, group="backtest")
        found = self.finish(trigger={
            "kind": "absence", "within": 3600, "group_by": ["resource_id"],
            "start": {"event_type": ["shop.order.placed"]},
            "expect": {"event_type": ["shop.order.paid"]}})
        self.assertEqual("failed", found["status"])
        self.assertIn("more than 1 groups", found["error"])
