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

import unittest

from monasca_events_common.store import elasticsearch_outcome as outcomes

# Answers of Elasticsearch 8.19.21, shortened only where they only repeat.
CONFLICT = {"create": {"_index": "probe", "_id": "1", "status": 409, "error": {
    "type": "version_conflict_engine_exception",
    "reason": "[1]: version conflict, document already exists (current "
              "version [1])", "shard": "0", "index": "probe"}}}
PARSING = {"create": {"_index": "probe", "_id": "2", "status": 400, "error": {
    "type": "document_parsing_exception",
    "reason": "[1:6] failed to parse field [n] of type [long] in document "
              "with id '2'. Preview of field's value: 'secret'",
    "caused_by": {"type": "illegal_argument_exception",
                  "reason": "For input string: \"secret\""}}}}
BROKEN = {"create": {"_index": "probe", "_id": "3", "status": 400, "error": {
    "type": "document_parsing_exception",
    "reason": "[1:2] failed to parse: com.fasterxml.jackson.core."
              "JsonParseException: Unexpected character (',' (code 44)): was "
              "expecting double-quote to start field name\n at [Source: "
              "(byte[])\"{\"n\":\"secret\",\"marks\":{,}\"; line: 1]"}}}
MALFORMED = {"create": {"_index": "p", "_id": "5", "status": 400, "error": {
    "type": "illegal_argument_exception",
    "reason": "Malformed content, found extra data after parsing: "
              "START_OBJECT"}}}
NO_ALIAS = {"create": {"_index": "nope", "_id": "2", "status": 404, "error": {
    "type": "index_not_found_exception",
    "reason": "no such index [nope] and [require_alias] request flag is "
              "[true] and [nope] is not an alias", "index": "nope"}}}
FLOOD = {"create": {"_index": "probe", "_id": "10", "status": 429, "error": {
    "type": "cluster_block_exception",
    "reason": "index [probe] blocked by: [TOO_MANY_REQUESTS/12/disk usage "
              "exceeded flood-stage watermark, index has "
              "read-only-allow-delete block];"}}}
READ_ONLY = {"create": {"_index": "p", "_id": "10", "status": 403, "error": {
    "type": "cluster_block_exception",
    "reason": "index [probe] blocked by: [FORBIDDEN/8/index write (api)];"}}}
CLOSED = {"create": {"_index": "probe", "_id": "10", "status": 400, "error": {
    "type": "index_closed_exception", "reason": "closed",
    "index": "probe"}}}


class TestOutcome(unittest.TestCase):
    """R5: what each answer means. Mistaking one loses events or stops us."""

    def test_each_answer_has_its_class(self):
        for kind, answers in (
                (outcomes.STORED, ({"create": {"status": 201}},
                                   {"create": {"status": 200}})),
                (outcomes.REPEATED, (CONFLICT,)),
                (outcomes.REJECTED, (PARSING, BROKEN, MALFORMED,
                                     {"create": {"status": 413}})),
                (outcomes.MISSING, (NO_ALIAS,)),
                (outcomes.BUSY, (
                    FLOOD, READ_ONLY, CLOSED, {"create": {"status": 500}},
                    {"create": {"status": 503, "error": {
                        "type": "unavailable_shards_exception"}}},
                    {"create": {"status": 429, "error": {
                        "type": "es_rejected_execution_exception"}}},
                    {"create": {"status": 403, "error": {
                        "type": "security_exception"}}},
                    {"create": {"status": 409, "error": {
                        "type": "something_else"}}}, {"create": {}}))):
            for answer in answers:
                self.assertEqual(kind, outcomes.outcome(answer).kind, answer)

    def test_a_reason_says_what_and_where_and_nothing_of_the_event(self):
        """S14: Elasticsearch quotes the event in its reasons."""
        self.assertEqual(
            "document_parsing_exception (status 400): [1:6] failed to parse "
            "field [n] of type [long]", outcomes.outcome(PARSING).reason)
        self.assertEqual(
            "document_parsing_exception (status 400): [1:2] failed to parse",
            outcomes.outcome(BROKEN).reason)
        for answer in (PARSING, BROKEN, MALFORMED):
            self.assertNotIn("secret", outcomes.outcome(answer).reason)
