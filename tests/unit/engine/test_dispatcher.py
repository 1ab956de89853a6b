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

"""The dispatcher on SQLite: targets that are slow or down, and mistakes."""

import collections
import logging
import threading
import time
from unittest import mock

import prometheus_client
import sqlalchemy as sa

from monasca_events_common.catalog import signing
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.database.tables import FIRINGS
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine import attempts
from monasca_events_engine import dispatcher
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import firing_row
from tests.unit.engine.outgoing import method
from tests.unit.engine.outgoing import row
from tests.unit.engine.outgoing import Running
from tests.unit.engine.outgoing import Steered
from tests.unit.engine.outgoing import Table
from tests.unit.engine.outgoing import until
from tests.unit.engine.test_deliveries import SqliteCase

PROJECTS = [letter * 32 for letter in "abcdef"]


def counted(action: str, outcome: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value(
        "monasca_events_deliveries_total",
        {"action": action, "outcome": outcome}) or 0.0


class DispatcherCase(SqliteCase):

    def setUp(self):
        super().setUp()
        self.table = Table(self.database)
        for module in (dispatcher, attempts):
            module.LOG.setLevel(logging.CRITICAL)
            self.addCleanup(module.LOG.setLevel, logging.NOTSET)

    def run_one(self, does=None, **values) -> tuple[Running, Steered]:
        action = Steered(does)
        running = Running(self.database, self.secrets, {"steered": action},
                          **values)
        self.addCleanup(running.close)
        return running.start(), action

    def await_all(self, count: int, status: str = "delivered") -> None:
        until(f"{count} are {status}",
              lambda: self.table.statuses() == {status: count})


class TestTargets(DispatcherCase):

    def setUp(self):
        super().setUp()
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)

    def block_slow(self, delivery) -> None:
        if delivery.method["address"] == "slow":
            self.go_on.wait()

    def test_a_target_that_hangs_holds_up_no_other(self):
        """F20: of the same project and of others, however much waits."""
        running, action = self.run_one(self.block_slow, threads=6,
                                       concurrency=2)
        slow = method(running.catalog, address="slow")
        first = running.hand_over(self.table, 40, method_id=slow)
        self.table.add(40, method_id=slow)
        until("the slow one is at work", lambda: len(action.seen) == 2)
        quick = []
        for project_id in PROJECTS:
            name = method(running.catalog, project_id=project_id,
                          address="quick")
            quick += running.hand_over(self.table, 10, method_id=name,
                                       project_id=project_id)
            quick += self.table.add(10, method_id=name,
                                    project_id=project_id)
        for one in quick:
            self.table.await_status(one["delivery_id"], "delivered")
        self.assertEqual(2, sum(one.method["address"] == "slow"
                                for one in action.seen))
        self.assertEqual("pending", self.table.get(
            first[0]["delivery_id"])["status"])
        self.go_on.set()
        self.await_all(80 + 120)
        self.assertEqual(200, len({one.delivery_id for one in action.seen}))
        self.assertEqual(200, len(action.seen))

    def test_what_waits_for_it_does_not_fill_the_memory(self):
        """F20: beyond the bound it waits in the database."""
        running, action = self.run_one(self.block_slow, queue_length=5,
                                       concurrency=1)
        slow = method(running.catalog, address="slow")
        running.hand_over(self.table, 60, method_id=slow)
        until("the overflow is back", lambda: self.leased() <= 6)
        leased = self.leased()
        self.assertEqual(leased - 1, len(running.dispatcher._queues))
        # Nobody takes it up again and again meanwhile.
        looks = running.dispatcher._times["poll"]
        until("it has looked some times", lambda: running.dispatcher._times[
            "poll"] > looks + 0.3)
        self.assertEqual(leased, self.leased())
        self.go_on.set()
        self.await_all(60)
        self.assertEqual(60, len(action.seen))

    def leased(self) -> int:
        with self.database.read() as connection:
            return connection.scalar(
                sa.select(sa.func.count()).select_from(DELIVERIES).where(
                    DELIVERIES.c.lease_owner.is_not(None)))

    def test_one_that_is_down_is_left_alone_and_nothing_is_lost(self):
        """F20: after five failures the others wait and lose no attempt."""
        is_down = threading.Event()
        is_down.set()

        def fail(delivery):
            if is_down.is_set():
                raise Unavailable("down", retry_after=0.0)
        running, action = self.run_one(
            fail, breaker_seconds=0.4, interval=0.0, max_attempts=1000,
            concurrency=1)
        self.table.add(50, method_id=method(running.catalog))
        until("it was tried", lambda: len(action.seen) >= 5)
        until("all wait", lambda: all(
            one.next_at > 0 for one in self.waiting()))
        tries = collections.Counter(one.delivery_id for one in action.seen)
        self.assertLessEqual(len(tries), 12)
        is_down.clear()
        self.await_all(50)
        self.assertGreaterEqual(
            44, sum(one.attempt > 1 for one in action.seen))

    def waiting(self):
        with self.database.read() as connection:
            return connection.execute(sa.select(DELIVERIES).where(
                DELIVERIES.c.status == "pending",
                DELIVERIES.c.lease_owner.is_(None))).all()

    def test_one_project_leaves_threads_for_the_others(self):
        running, action = self.run_one(lambda one: self.go_on.wait() and None,
                                       threads=4, concurrency=9)
        for project_id in PROJECTS[:2]:
            running.hand_over(
                self.table, 20, project_id=project_id, method_id=method(
                    running.catalog, project_id=project_id))
        until("all threads are busy", lambda: len(action.seen) == 4)
        self.assertEqual({2}, set(collections.Counter(
            one.project_id for one in action.seen).values()))
        self.go_on.set()
        self.await_all(40)


class TestMistakes(DispatcherCase):

    def test_an_action_that_breaks_is_tried_again_and_ends_no_thread(self):
        def break_first(delivery):
            if delivery.attempt == 1:
                raise ZeroDivisionError("a plug-in's mistake")
        running, action = self.run_one(break_first, threads=2,
                                       breaker_failures=99)
        with self.assertLogs(attempts.LOG, logging.ERROR) as logs:
            made = self.table.add(10)
            self.await_all(10)
        self.assertIn("ZeroDivisionError", logs.output[0])
        self.assertEqual(20, len(action.seen))
        self.assertEqual(2, self.table.get(made[0]["delivery_id"])[
            "attempts"])

    def test_an_operators_mistake_in_an_action_is_said_and_tried_again(self):
        def complain(delivery):
            if delivery.attempt == 1:
                raise Misconfigured("[x] y is missing")
        self.run_one(complain, max_interval=1.0)
        made, = self.table.add()
        found = until("it was tried", lambda: (
            one if (one := self.table.get(made["delivery_id"]))["attempts"]
            else None))
        self.assertEqual("[x] y is missing", found["last_error"])
        self.table.await_status(made["delivery_id"], "delivered")

    def test_an_action_gets_the_keys_that_are_live(self):
        """S8"""
        running, action = self.run_one()
        keys = [signing.Key("whsec_bmV3"), signing.Key(
            "whsec_b2xk", time.time() + 60), signing.Key("whsec_Z29u", 1.0)]
        self.table.add(method_id=method(running.catalog, self.secrets,
                                        keys=keys))
        self.await_all(1)
        self.assertEqual(("whsec_bmV3", "whsec_b2xk"),
                         tuple(action.seen[0].secrets))

    def test_keys_that_cannot_be_read_cost_no_attempt(self):
        """The operator may put the file right; tenants lose nothing."""
        running, action = self.run_one()
        other = Secrets(self.folder / "other", make=True)
        made, = self.table.add(method_id=method(
            running.catalog, other, keys=[signing.make_key()]))
        before = time.time()
        found = until("it waits", lambda: (
            one if (one := self.table.get(made["delivery_id"]))["next_at"]
            > before + 30 else None))
        self.assertEqual((0, "pending", None), (
            found["attempts"], found["status"], found["lease_owner"]))
        self.assertEqual([], action.seen)

    def test_a_target_that_is_none_parks_at_once(self):
        running, action = self.run_one()
        with mock.patch.object(Steered, "target",
                               side_effect=Rejected("no such target")):
            made, = self.table.add()
            found = self.table.await_status(made["delivery_id"], "parked")
        self.assertEqual("no such target", found["last_error"])
        self.assertEqual([], action.seen)

    def test_an_action_that_breaks_at_its_target_breaks_nothing_else(self):
        """It is asked in the engine's own thread."""
        running, action = self.run_one()
        with mock.patch.object(Steered, "target", side_effect=KeyError("x")):
            made, = running.hand_over(self.table)
            found = self.table.await_status(made["delivery_id"], "parked")
        self.assertIn("cannot tell where it goes", found["last_error"])
        running.hand_over(self.table)
        until("others go on", lambda: action.seen)

    def test_what_cannot_be_read_parks_and_ends_no_thread(self):
        running, action = self.run_one(threads=1)
        content = firing()
        made = row(content, time.time())
        with self.database.begin() as connection:
            connection.execute(FIRINGS.insert().values(
                {**firing_row(content, 0.0), "content": "no JSON"}))
            connection.execute(DELIVERIES.insert().values(made))
        found = self.table.await_status(made["delivery_id"], "parked")
        self.assertIn("cannot be read", found["last_error"])
        self.table.add()
        until("others go on", lambda: action.seen)

    def test_a_firing_that_is_gone_parks_its_delivery(self):
        self.run_one()
        made, = self.table.add(firing_id="gone")
        found = self.table.await_status(made["delivery_id"], "parked")
        self.assertIn("no longer in the history", found["last_error"])


class TestDatabase(DispatcherCase):

    def hide(self, hidden: bool) -> None:
        """Take the table away, or bring it back."""
        names = ("deliveries", "hidden") if hidden else ("hidden",
                                                         "deliveries")
        with self.database.begin() as connection:
            connection.execute(sa.text(
                f"ALTER TABLE {names[0]} RENAME TO {names[1]}"))

    def test_while_it_is_away_outcomes_wait_and_are_written_later(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        running, action = self.run_one(lambda one: go_on.wait() and None)
        with self.assertLogs(dispatcher.LOG, logging.WARNING) as logs:
            running.hand_over(self.table, 5)
            until("all are at work", lambda: len(action.seen) == 4)
            self.hide(True)
            go_on.set()
            until("the others too", lambda: len(action.seen) == 5)
            until("that is said", lambda: logs.output)
            self.hide(False)
            self.await_all(5)
        self.assertEqual(1, len([one for one in logs.output
                                 if "wait for the database" in one]))
        self.assertEqual(5, len(action.seen))

    def test_nothing_more_is_sent_than_could_be_noted_down(self):
        running, action = self.run_one(threads=1)
        with mock.patch.object(dispatcher, "MAX_UNWRITTEN", 3):
            running.hand_over(self.table, 1)
            self.await_all(1)
            self.hide(True)
            try:
                content = firing()
                rows = [row(content, time.time(),
                            lease_owner=running.dispatcher.owner,
                            lease_until=time.time() + 60)
                        for _ in range(1000)]
                running.dispatcher.wake(rows, [firing_row(content, 0.0)])
                until("it pauses", lambda: not
                      running.dispatcher._may_send.is_set())
                sent = len(action.seen)
            finally:
                self.hide(False)
        # Each thread finishes what it has begun.
        self.assertLessEqual(sent, 1 + 3 + 2)

    def test_one_that_was_cancelled_in_the_queue_is_not_sent(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        running, action = self.run_one(lambda one: go_on.wait() and None,
                                       concurrency=1)
        with mock.patch.object(dispatcher, "STALE", 0.0):
            first, second, third = running.hand_over(self.table, 3)
            until("the first is at work", lambda: action.seen)
            self.table.change(second["delivery_id"], status="cancelled")
            go_on.set()
            self.table.await_status(third["delivery_id"], "delivered")
        self.assertEqual([first["delivery_id"], third["delivery_id"]],
                         [one.delivery_id for one in action.seen])
        self.assertEqual("cancelled", self.table.get(
            second["delivery_id"])["status"])

    def test_what_is_handed_over_at_the_end_is_given_back(self):
        running, action = self.run_one()
        running.close()
        made = running.hand_over(self.table, 2)
        self.assertEqual([], action.seen)
        for one in made:
            found = self.table.get(one["delivery_id"])
            self.assertEqual(("pending", None), (found["status"],
                                                 found["lease_owner"]))

    def test_rows_of_others_are_not_taken_over(self):
        running, action = self.run_one(poll_interval=1000.0)
        # What comes after the only look into the database.
        until("it has looked", lambda: running.dispatcher._times["sweep"])
        now = time.time()
        for fields in ({"lease_owner": "somebody"}, {"lease_owner": None},
                       {"lease_until": now - 1}, {"status": "waiting"},
                       {"status": "muted"}):
            running.hand_over(self.table, **fields)
        made, = running.hand_over(self.table)
        self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual(1, len(action.seen))


class TestCounters(DispatcherCase):

    def test_attempts_are_counted_by_action_and_outcome(self):
        before = {outcome: counted("steered", outcome) for outcome in (
            "delivered", "failed", "parked", "cancelled")}
        strange = counted("unknown", "parked")

        def does(delivery):
            if delivery.attempt == 1:
                raise Unavailable("not yet", retry_after=0.0)
            if delivery.settings.get("refuse"):
                raise Rejected("no")
        running, _ = self.run_one(does)
        self.table.add(method_id="nosuch")
        self.table.add()
        self.table.add(action="strange\nlabel")
        self.table.add(method_id=method(running.catalog,
                                        settings={"refuse": True}))
        until("all are done", lambda: self.table.statuses() == {
            "delivered": 1, "parked": 2, "cancelled": 1})
        self.assertEqual(
            {"delivered": 1, "failed": 2, "parked": 1, "cancelled": 1},
            {outcome: counted("steered", outcome) - was
             for outcome, was in before.items()})
        self.assertEqual(1, counted("unknown", "parked") - strange)
