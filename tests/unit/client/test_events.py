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

"""Events in and out again, through the API as it is served."""

import datetime
import uuid

from monasca_events_client import batches
from monasca_events_client import errors
from monasca_events_client.pages import following
from tests.functional import service
from tests.unit.client.site import SiteTest


def event(word: str, **changed) -> dict:
    return {"event_type": "shop.order.placed", "resource_id": word, **changed}


class PostTest(SiteTest):

    settings = {"limits__max_events": "10", "limits__max_body_bytes": "4096",
                "limits__max_event_bytes": "2048"}

    def setUp(self):
        super().setUp()
        self.word = uuid.uuid4().hex

    def test_more_events_than_one_request_takes_are_several(self):
        posted = self.client.events.post(
            event(self.word, event_id=f"{self.word}-{n}") for n in range(35))
        self.assertEqual((35, []), (posted.accepted, list(posted.rejected)))
        self.assertEqual(4, self.site.requests.count("POST /v1.0/events"))
        found = self.stored(35, resource_id=self.word)
        self.assertEqual(set(posted.event_ids),
                         {one["event_id"] for one in found})

    def test_large_events_make_smaller_requests(self):
        posted = self.client.events.post(
            event(self.word, payload={"text": "é" * 700}) for _ in range(5))
        self.assertEqual(5, posted.accepted)
        self.assertEqual(3, self.site.requests.count("POST /v1.0/events"))

    def test_events_without_an_id_get_one(self):
        self.client.events.post([event(self.word), event(self.word)])
        self.assertEqual(2, len(self.stored(2, resource_id=self.word)))

    def test_rejections_count_all_events_that_were_given(self):
        given = [event(self.word) for _ in range(24)]
        given[3], given[22] = {"event_type": ""}, {"surprise": 1}
        posted = self.client.events.post(given)
        self.assertEqual(22, posted.accepted)
        self.assertEqual([3, 22], [one["index"] for one in posted.rejected])

    def test_one_that_is_too_large_alone_does_not_stop_the_others(self):
        given = [event(self.word),
                 event(self.word, payload={"text": "x" * 5000}),
                 event(self.word, payload={"text": "x" * 3000}),
                 event(self.word)]
        posted = self.client.events.post(given)
        self.assertEqual(2, posted.accepted)
        self.assertEqual([(1, "body_too_large"), (2, "event_too_large")],
                         [(one["index"], one["code"])
                          for one in posted.rejected])

    def test_none_accepted_is_an_error_that_says_why(self):
        with self.assertRaises(errors.Unprocessable) as caught:
            self.client.events.post([{"event_type": ""}, {"a": 1}])
        self.assertEqual("events[0]", caught.exception.where)
        self.assertEqual(2, len(caught.exception.rejections))
        self.assertIn("nor were the 1 others", caught.exception.message)

    def test_nothing_is_posted_as_nothing(self):
        self.assertEqual(0, self.client.events.post([]).accepted)
        self.assertNotIn("POST /v1.0/events", self.site.requests)

    def test_cloudevents_are_posted_as_such(self):
        posted = self.client.events.post(
            [{"specversion": "1.0", "id": f"{self.word}{n}",
              "source": "/shop", "type": "shop.cloud",
              "subject": self.word} for n in range(12)],
            form=batches.CLOUDEVENTS)
        self.assertEqual(12, posted.accepted)
        found = self.stored(12, resource_id=self.word)
        self.assertEqual({"/shop"}, {one["publisher_id"] for one in found})

    def test_cadf_stands_beside_others(self):
        posted = self.client.events.post([event(self.word), {
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
            "id": str(uuid.uuid4()), "eventType": "activity",
            "eventTime": "2026-11-22T10:00:00.000000+0000",
            "action": "read/list", "outcome": "success",
            "initiator": {"id": "u", "typeURI": "service/security/account"},
            "target": {"id": self.word, "typeURI": "data/x"},
            "observer": {"id": "o", "typeURI": "service/security"}}])
        self.assertEqual(2, posted.accepted)
        self.assertEqual(
            {"audit.read.list", "shop.order.placed"},
            {one["event_type"] for one in self.stored(
                2, resource_id=self.word)})

    def test_the_old_form_is_refused_before_it_changes_the_others(self):
        with self.assertRaisesRegex(ValueError, r"events\[1\].*retired"):
            self.client.events.post([
                event(self.word), {"event": {"event_type": "a"}}])
        self.assertNotIn("POST /v1.0/events", self.site.requests)

    def test_a_generator_is_read_a_request_at_a_time(self):
        read = []

        def given():
            for number in range(30):
                read.append(number)
                yield event(self.word)
        results = self.client.events.post_stream(given())
        self.assertEqual([], read)
        self.assertEqual(10, next(results).accepted)
        self.assertEqual(11, len(read))
        self.assertEqual(20, sum(one.accepted for one in results))


class SearchTest(SiteTest):
    """Twelve orders, one a minute, every third one large."""

    settings = {"limits__default_page": "5", "limits__max_page": "7"}
    NOON = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.timezone.utc)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.site.client().events.post(event(
            f"order-{n}", event_id=f"order-{n}", request_id=f"req-{n % 2}",
            timestamp=(cls.NOON + datetime.timedelta(minutes=n)).isoformat(),
            traits={"total": 1000 if n % 3 == 0 else 10},
            dimensions={"shop": "a" if n < 6 else "b"},
            payload={"note": f"gift {n}"}) for n in range(12))

    def setUp(self):
        super().setUp()
        self.stored(12)
        self.site.expect()

    def numbers(self, **filters) -> list[int]:
        return [int(one["resource_id"].partition("-")[2])
                for one in self.client.events.list(**filters)]

    def test_a_list_is_read_to_its_end(self):
        self.assertEqual([*range(11, -1, -1)], self.numbers())
        self.assertEqual(3, self.site.requests.count("GET /v1.0/events"))

    def test_the_last_ones_come_from_memory(self):
        self.remembered(12)
        for given, expected in (
                ({"limit": 3}, [11, 10, 9]), ({}, [*range(11, -1, -1)]),
                ({"by": "source", "last": 2}, [11, 10]),
                ({"resource_id": "order-4"}, [4])):
            with self.subTest(given=given):
                self.assertEqual(expected, [
                    int(one["resource_id"].partition("-")[2])
                    for one in self.client.events.recent(**given)])

    def test_pages_are_asked_for_when_they_are_needed(self):
        found = iter(self.client.events.list())
        self.assertEqual(0, self.site.requests.count("GET /v1.0/events"))
        for _ in range(5):
            next(found)
        self.assertEqual(1, self.site.requests.count("GET /v1.0/events"))
        next(found)
        self.assertEqual(2, self.site.requests.count("GET /v1.0/events"))

    def test_a_limit_ends_it_and_more_is_known(self):
        for limit, more in ((3, True), (5, True), (11, True), (12, False),
                            (99, False)):
            with self.subTest(limit=limit):
                found = self.client.events.list(limit=limit)
                self.assertIsNone(found.more)
                self.assertEqual(min(limit, 12), len(list(found)))
                self.assertEqual(more, found.more)

    def test_pages_are_as_long_as_is_wanted(self):
        sizes = [len(page) for page in self.client.events.list(
            page_size=4, limit=10).pages()]
        self.assertEqual([4, 4, 2], sizes)
        self.assertEqual([7, 3], [len(page) for page in
                                  self.client.events.list(limit=10).pages()])

    def test_a_limit_below_one_is_refused(self):
        with self.assertRaises(ValueError):
            self.client.events.list(limit=0)

    def test_it_begins_anew_each_time(self):
        found = self.client.events.list(limit=2)
        self.assertEqual(list(found), list(found))

    def test_filters_find_what_they_say(self):
        minute = datetime.timedelta(minutes=1)
        for filters, numbers in (
                ({"sort": "timestamp:asc", "limit": 2}, [0, 1]),
                ({"resource_id": ["order-3", "order-4"]}, [4, 3]),
                ({"resource_id": "prefix:order-1"}, [11, 10, 1]),
                ({"request_id": "req-1", "since": self.NOON + 8 * minute},
                 [11, 9]),
                ({"since": "2026-11-22T12:02:00Z",
                  "until": self.NOON + 4 * minute}, [3, 2]),
                ({"until": (self.NOON + 2 * minute).replace(tzinfo=None)},
                 [1, 0]),
                ({"traits": {"total": "gt:500"}}, [9, 6, 3, 0]),
                ({"traits": {"total": 1000},
                  "dimensions": {"shop": "b"}}, [9, 6]),
                ({"traits": {"total": [10, 1000]}, "limit": 1}, [11]),
                ({"words": ["gift", "7"]}, [7]),
                ({"words": "7"}, [7]),
                ({"event_type": "ne:shop.order.placed"}, []),
                ({"quick": True, "words": "7"}, [7])):
            with self.subTest(filters=filters):
                self.assertEqual(numbers, self.numbers(**filters))

    def test_one_event_is_shown(self):
        found, = self.client.events.list(limit=1)
        self.assertEqual(found, self.client.events.get(found["event_id"]))

    def test_what_is_another_s_is_not_found(self):
        found, = self.client.events.list(limit=1)
        with self.assertRaises(errors.NotFound):
            self.foreign.events.get(found["event_id"])
        self.assertEqual([], list(self.foreign.events.list()))

    def test_only_administrators_read_others(self):
        theirs = {"project_id": service.PROJECT}
        event_id = next(iter(self.client.events.list()))["event_id"]
        for scope in (theirs, {"all_projects": True}):
            with self.subTest(scope=scope):
                self.assertEqual(12, len(list(
                    self.admin.events.list(**scope))))
                self.assertEqual(event_id, self.admin.events.get(
                    event_id, **scope)["event_id"])
                with self.assertRaises(errors.Forbidden):
                    list(self.foreign.events.list(**scope))
        self.assertEqual([], list(self.admin.events.list(all_projects=False)))

    def test_types_traits_and_numbers_are_told(self):
        self.assertEqual(
            {"types": [{"event_type": "shop.order.placed", "count": 4}],
             "truncated": False},
            self.client.events.types(traits={"total": "gt:500"}))
        self.assertEqual(
            {"traits": [{"name": "total", "type": "integer"}]},
            self.client.events.traits(event_type="shop.order.placed"))
        self.assertEqual({"traits": []},
                         self.client.events.traits(event_type="no"))
        found = self.client.events.statistics(
            interval="10m", by="dimensions.shop",
            since="2026-11-22T00:00:00Z")
        self.assertEqual((600, [10, 2]), (found["interval"], [
            one["count"] for one in found["buckets"]]))
        self.assertEqual({"a": 6, "b": 4}, found["buckets"][0]["groups"])
        whole, = self.client.events.statistics()["buckets"]
        self.assertEqual(12, whole["count"])

    def test_a_link_to_elsewhere_leads_nowhere_else(self):
        """S5"""
        self.assertEqual(
            [("marker", "a b"), ("limit", "2")], following([
                {"rel": "self", "href": "http://x/"},
                {"rel": "next",
                 "href": "http://evil.test/x?marker=a+b&limit=2"}]))
        self.assertIsNone(following([{"rel": "self", "href": "http://x/"}]))
