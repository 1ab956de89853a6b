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


"""The page on rules says what the code does, and its examples work."""

import json
import pathlib
import re
import unittest

from monasca_events_common.rules import comparison
from monasca_events_common.rules import definition
from monasca_events_common.rules import operators
from monasca_events_common.rules import leaf
from monasca_events_common.rules import pattern
from monasca_events_common.rules import templates
from monasca_events_common.rules import window
from monasca_events_common.rules.pattern import Pattern

ROOT = pathlib.Path(__file__).parents[3]
PAGE = (ROOT / "doc/source/reference/rules.rst").read_text("utf-8")


def examples(text: str) -> list[dict]:
    """Return the JSON of a page's code blocks."""
    blocks = re.findall(r"\.\. code-block:: json\n\n((?:   .*\n|\n)+)", text)
    return [json.loads(one) for one in blocks]


class RulesPageTest(unittest.TestCase):

    def test_every_example_is_taken(self):
        found = examples(PAGE)
        kinds = set()
        for one in found:
            with self.subTest(example=str(one)[:60]):
                if "kind" in one:
                    definition.check(one)
                    definition.compile(one, trigger_id="t", project_id="p")
                    kinds.add(one["kind"])
                else:
                    Pattern(one)
        self.assertEqual(set(definition.KINDS), kinds)
        self.assertGreater(len(found), len(kinds))

    def test_every_operator_is_in_the_table_with_its_cost(self):
        rows = re.findall(r"\* - (``\{.*?)\n     - .*?\n     - (.*?)\n",
                          PAGE, re.DOTALL)
        shown = {}
        for cell, costs in rows:
            for text in re.findall(r"``(\{.*?\})``", cell):
                shown[text] = costs
        self.assertEqual(set(operators.NAMES), {
            name for text in shown for name in json.loads(text)})
        for text, costs in shown.items():
            operator = json.loads(text)
            if "exists" in operator or not costs[0].isdigit() \
                    or costs.startswith("1 more"):
                continue
            with self.subTest(operator=text):
                self.assertIn(str(operators.parse(operator, "x").cost),
                              re.findall(r"\d+", costs))

    def test_every_word_of_the_language_is_there(self):
        for name in (*definition.KINDS, *definition.COMMON, "strict",
                     "quiet", "ordered", "unless", *window.AGGREGATES,
                     *comparison.OPERATORS, *templates.TEMPLATES):
            if name in ("description", "severity", "enabled", "dry_run",
                        "mute", "rate_limit"):
                continue  # told on the page of the API
            with self.subTest(word=name):
                self.assertRegex(
                    PAGE, rf'(?m)``{re.escape(name)}``|^{name}$|"{name}"')

    def test_the_limits_are_those_of_the_code(self):
        for text in (f"at most {pattern.MAX_BYTES // 1024} KiB",
                     f"{pattern.MAX_DEPTH} levels",
                     f"{leaf.MAX_VALUES} values",
                     f"{leaf.MAX_OPERATORS} operators",
                     f"{operators.MAX_STRING} characters",
                     f"{operators.MAX_STARS} stars",
                     f"at most {pattern.MAX_BRANCHES} alternatives",
                     f"no more than {leaf.MAX_ELEMENTS} elements",
                     f"up to {definition.MAX_SECONDS // 86400} days",
                     f"up to {window.MAX_SAMPLES} samples",
                     f"{window.MAX_DISTINCT:,}"):
            with self.subTest(text=text):
                self.assertIn(text, " ".join(PAGE.split()))
