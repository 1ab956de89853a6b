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

"""Limits, hostile bodies and hostile queries; S4, S5, S6, S13, B19."""

import gzip
import json
import random

from tests.functional import service

_JSON = {"Content-Type": "application/json"}


class LimitsTest(service.ServiceCase):
    """In-process; what depends on the socket is in test_server."""

    pump = False

    def post(self, content, persona="MEMBER", **headers):
        if type(content) not in (bytes, str):
            content = json.dumps(content)
        return self.client.post("/v1.0/events", content=content, headers={
            **_JSON, **service.token(persona), **headers})

    def assert_refused(self, status, code, answer):
        self.assertEqual(status, answer.status_code, answer.text[:300])
        said = answer.json()
        self.assertEqual(code, said["errors"][0]["code"])
        self.assertEqual(said["errors"][0]["request_id"],
                         answer.headers["x-openstack-request-id"])

    def test_a_body_over_the_limit_is_413(self):
        body = b'{"events": [{"event_type": "x"}]}' + b" " * 1024 * 1024
        self.assert_refused(413, "body_too_large", self.post(body))

    def test_a_body_at_the_limit_is_accepted(self):
        body = b'{"events": [{"event_type": "x"}]}'
        body += b" " * (1024 * 1024 - len(body))
        self.assertEqual(202, self.post(body).status_code)

    def test_more_than_1000_events_are_413(self):
        events = [{"event_type": "x"}] * 1001
        self.assert_refused(413, "too_many_events",
                            self.post({"events": events}))
        self.assertEqual(202, self.post(
            {"events": events[:1000]}).status_code)

    def test_an_event_too_large_is_rejected_alone(self):
        large = {"event_type": "x", "payload": {"a": "b" * 300_000}}
        self.assert_refused(413, "event_too_large",
                            self.post({"events": [large]}))
        answer = self.post({"events": [large, {"event_type": "y"}]})
        self.assertEqual(202, answer.status_code)
        self.assertEqual([(0, "event_too_large")],
                         [(one["index"], one["code"])
                          for one in answer.json()["rejected"]])

    def test_depth_and_keys_are_limited(self):
        deep = value = {}
        for _ in range(20):
            value["a"] = value = {}
        wide = {str(number): 0 for number in range(2001)}
        self.assert_refused(413, "too_deep", self.post(
            {"events": [{"event_type": "x", "payload": deep}]}))
        self.assert_refused(413, "too_many_keys", self.post(
            {"events": [{"event_type": "x", "payload": wide}]}))

    def test_bombs_and_broken_text_are_400(self):
        for body in (b"[" * 100_000, b'{"a":' * 50_000,
                     b'{"events": [{"event_type": "\xff\xfe"}]}',
                     b'{"events": [{"event_type": "\\ud800"}]}',
                     b"\x00", b"\xef\xbb\xbf{}", b'{"events": [}'):
            with self.subTest(body=body[:20]):
                self.assert_refused(400, "not_json", self.post(body))

    def test_integers_that_64_bits_cannot_hold_are_refused(self):
        for digits, status, code in ((20, 422, "nothing_accepted"),
                                     (300, 422, "nothing_accepted"),
                                     (100_000, 400, "not_json")):
            with self.subTest(digits=digits):
                self.assert_refused(status, code, self.post(
                    '{"events": [{"event_type": "x", "payload": {"a": '
                    + "9" * digits + "}}]}"))

    def test_gzip_is_inflated_up_to_the_limit(self):
        good = gzip.compress(b'{"events": [{"event_type": "x"}]}')
        bomb = gzip.compress(b" " * 50_000_000)
        encoded = {"Content-Encoding": "gzip"}
        self.assertEqual(202, self.post(good, **encoded).status_code)
        self.assert_refused(413, "body_too_large",
                            self.post(bomb, **encoded))
        for damaged in (good[:-9], good + b"x", b"hello", b""):
            with self.subTest(damaged=damaged[:8]):
                self.assert_refused(400, "bad_encoding",
                                    self.post(damaged, **encoded))

    def test_project_ids_that_are_none_never_reach_a_store(self):
        """S4"""
        for name in ("../x", "*", "_all", "a,b", ".security", "<x-{now/d}>",
                     "-x", "A" * 32, "a" * 300, "ä" * 32, "a\r\nb", " ", 7,
                     ["a"], {"a": 1}, True):
            with self.subTest(name=name):
                answer = self.post({"events": [
                    {"event_type": "x", "project_id": name}]},
                    persona="SERVICE")
                self.assertEqual(422, answer.status_code)
                if type(name) is str:
                    answer = self.client.get(
                        "/v1.0/events", params={"project_id": name},
                        headers=service.token("ADMIN"))
                    self.assertEqual(400, answer.status_code, answer.text)

    def test_hostile_queries_are_refused_or_find_ones_own(self):
        """S5, S6"""
        generator = random.Random(20261122)
        pieces = ['" OR 1=1', "NEAR(a b)", "event_type:*", "a* OR *b*", "*",
                  '{"script":{}}', "'; DROP TABLE events--", "%", "_", "\\",
                  "^a", "a AND NOT b", "-a", '"', "''", "\u202e", "\x01",
                  "gte:", "prefix:", "exists:maybe", "lt:nan", "ne:", "eq:",
                  "1e309", "0x10", "९", "gt:1e308", "💥" * 300]
        names = ["q", "event_type", "traits.a", "traits.a.b", "timestamp",
                 "dimensions.x", "marker", "limit", "sort", "quick",
                 "traits.", "traits.a'b", "dimensions.", "payload.x", "",
                 "_id", "event_id", "project_id'", "all_projects"]
        for _ in range(400):
            params = [(generator.choice(names), "".join(
                generator.choices(pieces, k=generator.randint(1, 3))))
                for _ in range(generator.randint(1, 4))]
            with self.subTest(params=params):
                answer = self.client.get("/v1.0/events", params=params,
                                         headers=service.token("READER"))
                self.assertIn(answer.status_code, (200, 400), answer.text)
                if answer.status_code == 200:
                    self.assertLessEqual(
                        {found["project_id"]
                         for found in answer.json()["events"]},
                        {service.value("PROJECT")})

    def test_too_many_filters_are_refused(self):
        """S5"""
        for params in ([("event_type", str(n)) for n in range(51)],
                       [(f"traits.a{n}", "1") for n in range(51)],
                       [("q", " ".join(f"w{n}" for n in range(10_000)))],
                       [("limit", "1" + "0" * 9)], [("q", "a" * 5000)],
                       [("event_type", "a" * 2000)]):
            with self.subTest(first=params[0][0]):
                answer = self.client.get("/v1.0/events", params=params,
                                         headers=service.token("READER"))
                self.assertEqual(400, answer.status_code)

    def test_nothing_that_a_client_says_is_a_fault_of_ours(self):
        """S5: whatever the address, the query and the headers."""
        generator = random.Random(7)
        parts = ["/", "v1.0", "events", "%ff", "%00", "..", "%2e%2e", "types",
                 "traits", "statistics", "index", "_lookup", "show", "%20",
                 "é", "healthcheck", "version", "%2f", ";a=b", "__class__",
                 "triggers", "firings", "notification-methods", "templates",
                 "test", "backtest", "explain", "cancel", "rotate",
                 "dead-letters", "replay", "purge", "1", "timeline",
                 "recent", "transforms"]
        queries = ["", "?q=%ff", "?%ff=1", "?limit=%00", "?a[]=1", "?&&&=",
                   "?q=a&q=%c3%28", "?event_type=%u1234", "?=", "?%"]
        accepts = ["*/*", "", "text/html,*/*;q=0.1", "a/b;q=x", "%%", ",",
                   "application/json;q=0", "text/csv;q=0.5, */*;q=0"]
        for _ in range(500):
            address = "/" + "/".join(generator.choices(
                parts, k=generator.randint(0, 5))) + generator.choice(queries)
            method = generator.choice(["GET", "HEAD", "POST", "PUT", "PATCH",
                                       "DELETE", "OPTIONS", "FOO"])
            headers = {**service.token("MEMBER"),
                       "Accept": generator.choice(accepts),
                       "Content-Type": generator.choice(
                           ["application/json", "a", "multipart/form-data"])}
            with self.subTest(method=method, address=address,
                              headers=headers):
                answer = self.client.request(
                    method, str(self.client.base_url).rstrip("/") + address,
                    headers=headers, content=b"{}")
                self.assertLess(answer.status_code, 500, answer.text)
                self.assertIn("x-openstack-request-id", answer.headers)
                if answer.status_code >= 400 and method != "HEAD":
                    self.assertIn("errors", answer.json())
