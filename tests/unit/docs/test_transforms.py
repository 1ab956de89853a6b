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


"""The page on transforms says what the code does, and its examples work."""

import json
import pathlib
import re
import unittest

from monasca_events_common import event as events
from monasca_events_common.rules import allowance
from monasca_events_common.rules import operations
from monasca_events_common.rules import projection
from monasca_events_common.rules import transforms
from tests.unit.common.rules.samples import event
from tests.unit.docs.test_rules import examples

ROOT = pathlib.Path(__file__).parents[3]
PAGE = (ROOT / "doc/source/reference/transforms.rst").read_text("utf-8")
GUIDE = (ROOT / "doc/source/user/transforms.rst").read_text("utf-8")
API = (ROOT / "doc/source/reference/api.rst").read_text("utf-8")
WORDS = " ".join(PAGE.split())


def apply(content: dict, given: dict) -> list[dict]:
    """Return what a definition, checked as by the API, makes of an event."""
    content = {"name": "t", "pattern": {"project_id": [{"exists": True}]},
               **content}
    transforms.check(content)
    return transforms.Transforms([transforms.Transform(content)]).apply(given)


class TransformsPageTest(unittest.TestCase):

    def test_every_example_does_what_it_shows(self):
        shown = set()
        for one in examples(PAGE):
            with self.subTest(example=str(one)[:60]):
                if "operation" not in one:
                    apply(one, event())
                    continue
                shown.update(one["operation"])
                after = one["after"]
                expected = [] if after is None else (
                    after if type(after) is list else [after])
                made = apply({"operations": [one["operation"]]},
                             event(**one["before"]))
                for found in made:
                    self.assertNotIn("transform_failed", found["marks"])
                self.assertEqual(expected, [
                    {name: found[name] for name in wanted}
                    for found, wanted in zip(made, expected, strict=True)])
        self.assertEqual(set(operations.SCHEMA["properties"]), shown)

    def test_the_guide_shows_what_comes_of_its_draft(self):
        text = re.search(r"transforms/test '(\{.*?\})'\n", GUIDE, re.DOTALL)
        asked = json.loads(text[1])
        found, = apply(asked["transform"], event(**asked["event"]))
        self.assertEqual(({"total": 12}, {"card": "***"}),
                         (found["traits"], found["payload"]))

    def test_what_the_page_of_the_api_shows_is_taken(self):
        found = [one for one in examples(API) if "operations" in one]
        self.assertTrue(found)
        for one in found:
            apply(one, event())

    def test_every_word_is_there(self):
        for name in (*operations.CHANGEABLE, *projection.FUNCTIONS,
                     "transform_steps", "transform_copied",
                     "projection_steps"):
            with self.subTest(word=name):
                self.assertIn(f"``{name}``", PAGE)

    def test_the_limits_are_those_of_the_code(self):
        schema = transforms.SCHEMA["properties"]
        for text in (
                f"up to {schema['operations']['maxItems']} operations",
                f"up to {operations.MAX_PATHS} paths",
                f"{transforms.MAX_BYTES // 1024} KiB as JSON",
                f"no more than {allowance.MAX_STEPS:,} elements",
                f"no more than {allowance.MAX_COPIED // 2 ** 20} MiB",
                f"no more than {transforms.MAX_EVENTS} events",
                f"of one array no more than {operations.MAX_SPLIT}",
                f"takes {projection.MAX_STEPS} steps",
                f"at most {projection.MAX_LENGTH} characters and "
                f"{projection.MAX_DEPTH} levels",
                f"at most {events.MAX_STRING} characters",
                f"``{operations.MASK}``"):
            with self.subTest(text=text):
                self.assertIn(text, WORDS)

    def test_the_costs_are_those_of_the_code(self):
        for operation, cost in (
                ({"mask": ["payload.a", "payload.b"]}, 16),
                ({"keep": ["payload.a"]}, 38), ({"split": "payload.a"}, 38),
                ({"set": {"traits.a": {"jmespath": "payload"}}}, 46)):
            with self.subTest(operation=operation):
                self.assertEqual(cost, operations.parse(operation, "x").cost)
        self.assertIn("a path costs 8, an expression 30 and 8 for each of its "
                      "parts, ``keep`` and ``split`` 30", WORDS)
