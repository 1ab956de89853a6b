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


"""What jobs promise, on every SQL database."""

import threading

from monasca_events_common import database as databases
from monasca_events_common.catalog import jobs
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import NotFound
from monasca_events_common.store import ALL
from tests.contract.catalog import A
from tests.contract.catalog import B
from tests.contract.catalog import number

KIND = jobs.BACKTEST
AT = 1_795_341_600.0


class JobsContract:
    """Inherited with a ``database``: empty, its tables made."""

    database: databases.Database

    def set_up_contract(self) -> None:
        self.jobs = jobs.Jobs(self.database)

    def create(self, n: int, project_id: str = A, at: float = AT, **options):
        return self.jobs.create(project_id, KIND, number(n), {"n": n},
                                at + n, **options)

    def claim(self, owner: str = "one", at: float = AT + 10.0):
        return self.jobs.claim(KIND, owner, at, at + 30.0)

    def test_a_job_comes_back_as_it_was_made(self):
        made = self.create(1)
        self.assertEqual(made, self.jobs.get(A, KIND, number(1)))
        self.assertEqual(made, self.jobs.get(ALL, KIND, number(1)))
        self.assertEqual((jobs.QUEUED, {"n": 1}, {}),
                         (made.status, made.request, made.result))

    def test_another_projects_job_is_not_there(self):
        """S1"""
        self.create(1)
        for call in (lambda: self.jobs.get(B, KIND, number(1)),
                     lambda: self.jobs.get(A, "other", number(1)),
                     lambda: self.jobs.remove(B, KIND, number(1), AT)):
            with self.assertRaises(NotFound):
                call()

    def test_a_quota_counts_what_is_unfinished(self):
        self.create(1, quota=2)
        self.create(2, quota=2)
        self.create(3, project_id=B, quota=1)
        with self.assertRaises(Forbidden) as caught:
            self.create(4, quota=2)
        self.assertEqual("quota_exceeded", caught.exception.code)
        self.jobs.remove(A, KIND, number(1), AT)
        self.create(4, quota=2)

    def test_the_oldest_is_claimed_by_one_only(self):
        for n in (2, 1):
            self.create(n)
        found = self.claim("one")
        self.assertEqual((number(1), jobs.RUNNING),
                         (found.job_id, found.status))
        self.assertEqual(number(2), self.claim("two").job_id)
        self.assertIsNone(self.claim("three"))

    def test_of_many_who_claim_at_once_each_job_has_one(self):
        for n in range(6):
            self.create(n)
        found: list[str] = []

        def work(owner: str) -> None:
            while (job := self.claim(owner)) is not None:
                found.append(job.job_id)
        threads = [threading.Thread(target=work, args=(str(n),))
                   for n in range(3)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        # A worker that met another one may find nothing and go.
        while (job := self.claim("last")) is not None:
            found.append(job.job_id)
        self.assertEqual([number(n) for n in range(6)], sorted(found))

    def test_progress_is_kept_and_prolongs_the_lease(self):
        self.create(1)
        job = self.claim("one", AT)
        self.assertTrue(self.jobs.report(job, "one", {"share": 0.5}, AT + 20,
                                         AT + 50))
        self.assertEqual({"attempts": 1, "share": 0.5},
                         self.jobs.get(A, KIND, number(1)).result)
        self.assertIsNone(self.claim("two", AT + 49))
        self.assertEqual({"attempts": 2}, self.claim("two", AT + 51).result)

    def test_a_lease_that_ran_out_leaves_nothing_to_say(self):
        self.create(1)
        job = self.claim("one", AT)
        self.assertIsNotNone(self.claim("two", AT + 31))
        self.assertFalse(self.jobs.report(job, "one", {"x": 1}, AT, AT + 99))
        self.assertFalse(self.jobs.finish(job, "one", jobs.FINISHED, {}, AT))
        self.assertEqual({"attempts": 2},
                         self.jobs.get(A, KIND, number(1)).result)

    def test_a_job_that_takes_its_worker_down_is_not_begun_for_ever(self):
        self.create(1)
        for n in range(jobs.ATTEMPTS):
            self.assertIsNotNone(self.claim(at=AT + 100 * n))
        self.assertIsNone(self.claim(at=AT + 1000))
        found = self.jobs.get(A, KIND, number(1))
        self.assertEqual(jobs.FAILED, found.status)
        self.assertIn("died", found.result["error"])

    def test_a_finished_job_has_a_result_and_is_forgotten_later(self):
        self.create(1)
        job = self.claim()
        self.assertTrue(self.jobs.finish(job, "one", jobs.FINISHED,
                                         {"found": 3}, AT + 20))
        found = self.jobs.get(A, KIND, number(1))
        self.assertEqual((jobs.FINISHED, 3),
                         (found.status, found.result["found"]))
        self.create(2)
        self.assertEqual(0, self.jobs.tidy(KIND, AT + 20))
        self.assertEqual(1, self.jobs.tidy(KIND, AT + 21))
        self.jobs.get(A, KIND, number(2))
        with self.assertRaises(NotFound):
            self.jobs.get(A, KIND, number(1))

    def test_a_cancelled_job_is_nobodys_and_goes_when_removed_again(self):
        self.create(1)
        job = self.claim()
        self.jobs.remove(A, KIND, number(1), AT + 11)
        self.assertFalse(self.jobs.report(job, "one", {}, AT + 12, AT + 99))
        self.assertIsNone(self.claim("two", AT + 1000))
        self.assertEqual(jobs.CANCELLED,
                         self.jobs.get(A, KIND, number(1)).status)
        self.jobs.remove(A, KIND, number(1), AT + 13)
        with self.assertRaises(NotFound):
            self.jobs.get(A, KIND, number(1))

    def test_a_job_that_is_given_back_is_begun_by_another(self):
        self.create(1)
        job = self.claim()
        self.assertTrue(self.jobs.finish(job, "one", jobs.QUEUED, {}, AT))
        again = self.claim("two")
        self.assertEqual((number(1), {"attempts": 1}),
                         (again.job_id, again.result))
