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

"""What the deliveries' leases and the dispatcher promise, on every SQL
database."""

import collections
import threading
import time
import uuid

from monasca_events_common import database as databases
from monasca_events_common.catalog import METHODS
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine import retry
from monasca_events_engine.deliveries import Deliveries
from monasca_events_engine.history import History
from tests.unit.engine.outgoing import AT
from tests.unit.engine.outgoing import firing
from tests.unit.engine.outgoing import method
from tests.unit.engine.outgoing import options
from tests.unit.engine.outgoing import PROJECT
from tests.unit.engine.outgoing import row
from tests.unit.engine.outgoing import Running
from tests.unit.engine.outgoing import Steered
from tests.unit.engine.outgoing import Table
from tests.unit.engine.outgoing import until

NOW = 1_000_000.0

OTHER = "b" * 32


class _Case:
    """Inherited with a ``database``: empty, its tables made; and
    ``secrets``."""

    database: databases.Database
    secrets: Secrets

    @property
    def table(self) -> Table:
        return Table(self.database)


class LeasesContract(_Case):
    """Who has a delivery in hand."""

    def member(self, name: str = "one") -> Deliveries:
        return Deliveries(self.database, name)

    def claim(self, member: Deliveries, now: float = NOW, limit: int = 100,
              **options) -> list[str]:
        return [one.delivery_id for one in member.claim(
            now, now + 60, limit, **options)]

    def test_what_is_due_is_claimed_with_its_firing(self):
        content = firing(reason="because")
        made = row(content, NOW, attempts=2)
        self.table.insert([made], content)
        entry, = self.member().claim(NOW, NOW + 60, 10)
        self.assertEqual(made["delivery_id"], entry.delivery_id)
        self.assertEqual(2, entry.attempts)
        self.assertIn('"reason":"because"', entry.content)
        self.assertEqual("one", self.table.get(entry.delivery_id)[
            "lease_owner"])

    def test_only_what_is_to_be_sent_and_due_is_claimed(self):
        due = {self.table.add(status=status, next_at=NOW)[0]["delivery_id"]
               for status in ("pending", "waiting")}
        for status in ("delivered", "parked", "cancelled", "dry_run",
                       "muted", "limited"):
            self.table.add(status=status, next_at=NOW)
        for status in ("pending", "waiting"):
            self.table.add(status=status, next_at=NOW + 0.5)
        self.assertEqual(due, set(self.claim(self.member())))
        self.assertEqual([], self.claim(self.member()))

    def test_a_waiting_one_that_is_due_is_pending_from_then_on(self):
        made, = self.table.add(status="waiting", next_at=NOW)
        self.claim(self.member())
        self.assertEqual("pending", self.table.get(made["delivery_id"])[
            "status"])

    def test_nothing_is_claimed_twice_while_the_lease_lasts(self):
        made, = self.table.add(next_at=NOW)
        self.assertEqual([made["delivery_id"]], self.claim(self.member()))
        self.assertEqual([], self.claim(self.member("two"), NOW + 59))
        self.assertEqual([made["delivery_id"]],
                         self.claim(self.member("two"), NOW + 60))

    def test_members_that_claim_at_once_share_without_overlap(self):
        self.table.add(200, next_at=NOW)
        found = collections.Counter()
        lock = threading.Lock()

        def work(name: str) -> None:
            member = self.member(name)
            for _ in range(200):
                try:
                    got = self.claim(member, limit=7)
                except Unavailable:
                    continue
                with lock:
                    found.update(got)
                if not got:
                    # Others may just have been faster.
                    with lock:
                        if sum(found.values()) >= 200:
                            return
        threads = [threading.Thread(target=work, args=(f"m{number}",))
                   for number in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        self.assertEqual(200, len(found))
        self.assertEqual({1}, set(found.values()))

    def test_the_oldest_come_first_as_far_as_the_limit_goes(self):
        ids = [self.table.add(next_at=NOW - age)[0]["delivery_id"]
               for age in (1, 3, 2)]
        self.assertEqual([ids[1], ids[2]],
                         self.claim(self.member(), limit=2))

    def test_sources_that_are_full_and_what_is_held_are_left_alone(self):
        first, second, third, fourth = (
            self.table.add(next_at=NOW, **fields)[0]["delivery_id"]
            for fields in ({"method_id": "m1"}, {"method_id": "m2"},
                           {"action": "x"}, {"action": "y"}))
        self.assertEqual({second}, set(self.claim(
            self.member(), without=["m1", "x"], held=[fourth])))
        self.assertEqual({first, third, fourth},
                         set(self.claim(self.member())))

    def test_an_outcome_is_written_and_the_lease_given_back(self):
        made, = self.table.add(next_at=NOW)
        member = self.member()
        self.claim(member)
        member.settle([retry.Outcome(made["delivery_id"], "parked", 5,
                                     NOW + 7, "why", '{"a":1}')], [],
                      NOW + 8)
        found = self.table.get(made["delivery_id"])
        self.assertEqual(
            ("parked", 5, NOW + 7, "why", '{"a":1}', NOW + 8, None, 0.0),
            tuple(found[name] for name in (
                "status", "attempts", "next_at", "last_error", "result",
                "updated_at", "lease_owner", "lease_until")))

    def test_what_was_not_tried_goes_back_as_it_was(self):
        first, second, third = self.table.add(3, next_at=NOW, attempts=2)
        member = self.member()
        self.claim(member)
        member.settle([], [(first["delivery_id"], None),
                           (second["delivery_id"], NOW + 60)], NOW)
        self.assertEqual([first["delivery_id"]],
                         self.claim(self.member("two")))
        found = self.table.get(second["delivery_id"])
        self.assertEqual(("pending", 2, NOW + 60, None), tuple(
            found[name] for name in ("status", "attempts", "next_at",
                                     "lease_owner")))
        self.assertEqual("one", self.table.get(third["delivery_id"])[
            "lease_owner"])

    def test_who_lost_the_lease_changes_nothing_any_more(self):
        made, = self.table.add(next_at=NOW)
        slow, quick = self.member("slow"), self.member("quick")
        self.claim(slow)
        self.claim(quick, NOW + 60)
        slow.settle([retry.delivered(made["delivery_id"], 1, NOW, {})],
                    [(made["delivery_id"], NOW)], NOW)
        slow.renew([made["delivery_id"]], NOW + 1000)
        found = self.table.get(made["delivery_id"])
        self.assertEqual(("pending", "quick", NOW + 120), (
            found["status"], found["lease_owner"], found["lease_until"]))
        self.assertFalse(slow.is_ours(made["delivery_id"]))
        self.assertTrue(quick.is_ours(made["delivery_id"]))

    def test_what_was_cancelled_meanwhile_stays_cancelled(self):
        made, = self.table.add(next_at=NOW)
        member = self.member()
        self.claim(member)
        self.table.change(made["delivery_id"], status="cancelled")
        self.assertFalse(member.is_ours(made["delivery_id"]))
        member.settle([retry.delivered(made["delivery_id"], 1, NOW, {})], [],
                      NOW)
        self.assertEqual("cancelled", self.table.get(made["delivery_id"])[
            "status"])

    def test_a_lease_is_prolonged(self):
        made, = self.table.add(next_at=NOW)
        member = self.member()
        self.claim(member)
        member.renew([made["delivery_id"]], NOW + 500)
        self.assertEqual([], self.claim(self.member("two"), NOW + 499))
        self.assertEqual(1, len(self.claim(self.member("two"), NOW + 500)))

    def test_it_tells_when_the_next_one_is_due(self):
        member = self.member()
        self.assertIsNone(member.next_due(NOW))
        self.table.add(next_at=NOW + 20)
        self.table.add(next_at=NOW + 10, status="waiting")
        self.table.add(next_at=NOW + 5, status="parked")
        self.assertEqual(NOW + 10, member.next_due(NOW))
        self.assertEqual(NOW + 20, member.next_due(NOW + 10))

    def test_one_whose_firing_is_gone_is_claimed_to_be_parked(self):
        content = firing()
        made = row(content, NOW)
        self.table.insert([{**made, "firing_id": "gone"}], content)
        entry, = self.member().claim(NOW, NOW + 60, 10)
        self.assertIsNone(entry.content)


class HistoryContract(_Case):
    """Retention of firings."""

    def test_old_firings_go_with_their_deliveries_and_others_stay(self):
        conf = options(retention_days=10)
        now = 100 * 86400.0
        old, young = firing(), firing()
        gone = [row(old, NOW, status=status)
                for status in ("delivered", "parked", "pending")]
        self.table.insert(gone, old, now - 10.5 * 86400)
        stays = row(young, NOW)
        self.table.insert([stays], young, now - 9.5 * 86400)
        with self.assertLogs("monasca_events_engine.history") as logs:
            removed = History(self.database, conf.firings,
                              lambda: now).expire()
        self.assertEqual(1, removed)
        self.assertIn("dropped 1 deliveries", "".join(logs.output))
        self.assertEqual({"pending": 1}, self.table.statuses())
        self.table.get(stays["delivery_id"])

    def test_many_go_in_several_transactions(self):
        for _ in range(450):
            self.table.insert([], firing(), 0.0)
        self.assertEqual(450, History(
            self.database, options().firings).expire())


class DispatcherContract(_Case):
    """From a row in the outbox to an outcome."""

    def run_one(self, does=None, **values) -> tuple[Running, Steered]:
        action = Steered(does)
        running = Running(self.database, self.secrets, {"steered": action},
                          **values)
        self.addCleanup(running.close)
        return running.start(), action

    def test_what_the_api_inserts_is_delivered(self):
        """A test ping is a row like any other."""
        _, action = self.run_one(lambda one: {"note": one.attempt})
        content = firing(trigger_id="test")
        made = row(content, time.time())
        self.table.insert([made], content)
        found = self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual((1, '{"note":1}', None, None), (
            found["attempts"], found["result"], found["last_error"],
            found["lease_owner"]))
        seen, = action.seen
        self.assertEqual((made["delivery_id"], "test", PROJECT, None), (
            seen.delivery_id, seen.firing["trigger_id"], seen.project_id,
            seen.method))

    def test_what_is_handed_over_needs_no_look_into_the_database(self):
        running, action = self.run_one(poll_interval=1000.0)
        made = running.hand_over(self.table, 3)
        for one in made:
            self.table.await_status(one["delivery_id"], "delivered")
        self.assertEqual({one["delivery_id"] for one in made},
                         {one.delivery_id for one in action.seen})

    def test_a_failure_is_tried_again_with_the_same_id(self):
        """S8: one idempotency key for all attempts."""
        def fail_twice(one):
            if one.attempt < 3:
                raise Unavailable("not yet", retry_after=0.0)
        _, action = self.run_one(fail_twice)
        made, = self.table.add()
        found = self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual(3, found["attempts"])
        self.assertIsNone(found["last_error"])
        self.assertEqual([1, 2, 3], [one.attempt for one in action.seen])
        self.assertEqual({made["delivery_id"]},
                         {one.delivery_id for one in action.seen})

    def test_after_the_last_attempt_it_is_parked_and_comes_again_if_asked(
            self):
        answers = [Unavailable("no\n way", retry_after=0.0)] * 3

        def fail(one):
            if answers:
                raise answers.pop()
        _, action = self.run_one(fail, max_attempts=3, breaker_failures=99)
        made, = self.table.add()
        found = self.table.await_status(made["delivery_id"], "parked")
        self.assertEqual((3, "no\\u000a way (attempt 3, the last)"),
                         (found["attempts"], found["last_error"]))
        # As the API's redelivery does.
        self.table.change(made["delivery_id"], status="pending", attempts=0,
                          next_at=time.time())
        found = self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual(4, len(action.seen))
        self.assertEqual(1, len({one.delivery_id for one in action.seen}))

    def test_what_can_never_succeed_is_parked_at_once(self):
        def refuse(one):
            raise Rejected("never")
        _, action = self.run_one(refuse)
        made, = self.table.add()
        found = self.table.await_status(made["delivery_id"], "parked")
        self.assertEqual((1, "never"), (found["attempts"],
                                        found["last_error"]))
        self.assertEqual(1, len(action.seen))

    def test_it_waits_as_long_as_the_receiver_asks(self):
        def busy(one):
            raise Unavailable("busy", retry_after=1000.0)
        self.run_one(busy, max_interval=500.0)
        made, = self.table.add()
        before = time.time()
        found = until("it was tried", lambda: (
            one if (one := self.table.get(made["delivery_id"]))["attempts"]
            else None))
        # The operator's limit counts where the receiver asks for more.
        self.assertLess(before + 499, found["next_at"])
        self.assertGreater(time.time() + 501, found["next_at"])

    def test_one_that_waits_can_be_cancelled_until_it_is_due(self):
        _, action = self.run_one()
        kept, undone = (self.table.add(
            status="waiting", next_at=time.time() + 4)[0]
            for _ in range(2))
        self.table.change(undone["delivery_id"], status="cancelled")
        self.table.await_status(kept["delivery_id"], "delivered")
        self.assertEqual([kept["delivery_id"]],
                         [one.delivery_id for one in action.seen])
        self.assertEqual("cancelled", self.table.get(
            undone["delivery_id"])["status"])

    def test_a_method_is_used_as_it_is_now(self):
        running, action = self.run_one()
        made = method(running.catalog, address="first")
        first, = self.table.add(method_id=made)
        self.table.await_status(first["delivery_id"], "delivered")
        running.catalog.update(PROJECT, METHODS, made, {
            "name": "x", "type": "steered", "address": "second",
            "settings": {}}, AT)
        until("the change is known", lambda: running.dispatcher.methods.get(
            PROJECT, made).content["address"] == "second")
        second, = self.table.add(method_id=made)
        self.table.await_status(second["delivery_id"], "delivered")
        self.assertEqual(["first", "second"],
                         [one.method["address"] for one in action.seen])

    def test_a_method_that_was_just_made_is_known_at_once(self):
        running, action = self.run_one(poll_interval=1000.0)
        until("it has begun", lambda: running.dispatcher._times["poll"])
        made, = running.hand_over(self.table, method_id=method(
            running.catalog, address="new"))
        self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual("new", action.seen[0].method["address"])

    def test_deliveries_of_a_deleted_method_are_cancelled(self):
        running, action = self.run_one()
        made = method(running.catalog)
        running.catalog.delete(PROJECT, METHODS, made, AT)
        # Within a second, as with every change of a definition.
        until("the deletion is known", lambda:
              running.dispatcher.methods._revision
              == running.catalog.revision())
        for method_id in (made, str(uuid.uuid4())):
            one, = self.table.add(method_id=method_id)
            found = self.table.await_status(one["delivery_id"], "cancelled")
            self.assertIn("no longer there", found["last_error"])
        self.assertEqual([], action.seen)

    def test_another_projects_method_is_none(self):
        """S1"""
        running, action = self.run_one()
        theirs = method(running.catalog, project_id=OTHER)
        made, = self.table.add(method_id=theirs)
        self.table.await_status(made["delivery_id"], "cancelled")
        self.assertEqual([], action.seen)

    def test_an_action_that_is_not_here_parks_what_it_should_do(self):
        self.run_one()
        made, = self.table.add(action="nosuch")
        found = self.table.await_status(made["delivery_id"], "parked")
        self.assertIn("'nosuch' is not enabled", found["last_error"])

    def test_what_a_dead_member_had_is_made_when_its_lease_ends(self):
        made, = self.table.add(lease_owner="dead",
                               lease_until=time.time() + 0.5)
        _, action = self.run_one()
        found = self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual(1, len(action.seen))
        self.assertIsNone(found["lease_owner"])

    def test_a_lease_lasts_as_long_as_the_action(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        running, action = self.run_one(lambda one: go_on.wait() and None,
                                       lease=3.0)
        other, idle = self.run_one()
        made, = running.hand_over(self.table)
        ends = set()

        def look():
            ends.add(self.table.get(made["delivery_id"])["lease_until"])
            return len(ends) > 3
        until("it was prolonged again and again", look)
        go_on.set()
        self.table.await_status(made["delivery_id"], "delivered")
        self.assertEqual((1, 0), (len(action.seen), len(idle.seen)))

    def test_who_stops_finishes_what_it_is_at_and_gives_the_rest_back(self):
        """R10"""
        go_on = threading.Event()
        running, action = self.run_one(lambda one: go_on.wait() and None,
                                       concurrency=2)
        made = running.hand_over(self.table, 5)
        until("two are executed", lambda: len(action.seen) == 2)
        running.stop.set()
        until("it takes no more", lambda: running.dispatcher.is_stopping)
        go_on.set()
        running.close()
        self.assertEqual({"delivered": 2, "pending": 3},
                         self.table.statuses())
        self.assertEqual({None}, {
            self.table.get(one["delivery_id"])["lease_owner"]
            for one in made})
        # Somebody else goes on at once.
        _, other = self.run_one()
        until("all are delivered",
              lambda: self.table.statuses() == {"delivered": 5})
        self.assertEqual(3, len(other.seen))
