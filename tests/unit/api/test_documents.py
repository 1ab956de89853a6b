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


"""Documents that clients send: media types, merging, preconditions."""

import unittest

from hypothesis import given
from hypothesis import strategies
import orjson

from monasca_events_api import documents
from monasca_events_api.middleware.body import BODY
from monasca_events_api.middleware.body import CONTENT_TYPE
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Rejected


def environ(body: bytes, content_type: str = "application/json") -> dict:
    return {BODY: body, CONTENT_TYPE: content_type}


_JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(0, 9)
    | strategies.text("ab", max_size=2),
    lambda inner: strategies.lists(inner, max_size=2)
    | strategies.dictionaries(strategies.sampled_from("abc"), inner,
                              max_size=3), max_leaves=12)


def _without_nulls(value):
    if type(value) is dict:
        return {name: _without_nulls(one) for name, one in value.items()
                if one is not None}
    return value


class TestReading(unittest.TestCase):

    def test_an_object_is_read(self):
        for content_type in ("application/json",
                             "Application/JSON; charset=utf-8"):
            self.assertEqual({"a": 1}, documents.read_document(
                environ(b'{"a": 1}', content_type)))
        self.assertEqual({}, documents.read_document(
            environ(b"{}", documents.MERGE_PATCH), documents.MERGE_PATCH))
        self.assertEqual({}, documents.read_options(environ(b"", "")))

    def test_what_is_none_is_refused_with_a_code(self):
        deep = b'{"a":' * 41 + b"1" + b"}" * 41
        for code, body, content_type in (
                ("content_type_missing", b"{}", ""),
                ("unsupported_media_type", b"{}", "text/plain"),
                ("unsupported_media_type", b"{}", documents.MERGE_PATCH),
                ("not_json", b"{", "application/json"),
                ("not_json", b"", "application/json"),
                ("invalid_body", b"[]", "application/json"),
                ("invalid_body", b'{"a": ' + b"9" * 30 + b"}",
                 "application/json"),
                ("too_deep", deep, "application/json"),
                ("too_deep", b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
                 "application/json")):
            with self.subTest(code=code, body=body[:20]):
                with self.assertRaises(Rejected) as caught:
                    documents.read_document(environ(body, content_type))
                self.assertEqual(code, caught.exception.code)

    def test_depth_up_to_the_limit_is_taken(self):
        documents.read_document(environ(b'{"a":' * 40 + b"1" + b"}" * 40))

    def test_a_field_that_nobody_knows_is_refused(self):
        self.assertEqual([1, None], documents.take({"a": 1}, "a", "b"))
        with self.assertRaises(Rejected) as caught:
            documents.take({"a": 1, "c": 2}, "a", "b")
        self.assertEqual("c", caught.exception.where)


class TestMerging(unittest.TestCase):

    def test_the_examples_of_the_rfc(self):
        """RFC 7396, appendix A."""
        for target, patch, expected in (
                ({"a": "b"}, {"a": "c"}, {"a": "c"}),
                ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
                ({"a": "b"}, {"a": None}, {}),
                ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
                ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
                ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
                ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}},
                 {"a": {"b": "d"}}),
                ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
                (["a", "b"], ["c", "d"], ["c", "d"]),
                ({"a": "b"}, ["c"], ["c"]),
                ({"a": "foo"}, None, None), ({"a": "foo"}, "bar", "bar"),
                ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
                ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
                ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}})):
            with self.subTest(target=target, patch=patch):
                self.assertEqual(expected, documents.merge(target, patch))

    @given(_JSON, _JSON)
    def test_applied_twice_it_changes_nothing_more(self, target, patch):
        before = orjson.dumps(target)
        once = documents.merge(target, patch)
        self.assertEqual(once, documents.merge(once, patch))
        self.assertEqual(before, orjson.dumps(target))
        if type(patch) is dict:
            self.assertEqual(_without_nulls(patch),
                             documents.merge({}, patch))


class TestPreconditions(unittest.TestCase):

    def check(self, header, revision):
        try:
            documents.Precondition(header).check(revision)
        except Conflict as error:
            self.assertEqual("revision_mismatch", error.code)
            return False
        return True

    def test_a_revision_is_asked_for_by_its_tag(self):
        self.assertEqual('"7"', documents.etag(7))
        for header, expected in (
                (None, True), ("*", True), (" * ", True), ('"7"', True),
                ('"6", "7"', True), ('"6","8"', False), ('"6"', False),
                ("7", False), ('W/"7"', False), ("", False),
                ('"07x"', False)):
            with self.subTest(header=header):
                self.assertEqual(expected, self.check(header, 7))

    def test_only_a_tag_forbids_to_try_again(self):
        self.assertFalse(documents.Precondition(None))
        self.assertFalse(documents.Precondition("*"))
        self.assertTrue(documents.Precondition('"7"'))
        self.assertTrue(documents.Precondition("nonsense"))
