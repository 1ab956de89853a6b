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


"""The API reference tells of every operation, and what the description says.

Tables and samples in it are generated: tox -e genapiref
"""

import collections
from collections.abc import Iterator
import pathlib
import re
import sys
import unittest

import yaml

from monasca_events_api import description
from monasca_events_api.description import samples

ROOT = pathlib.Path(__file__).parents[3]
SOURCE = ROOT / "api-ref/source"
# It is no part of the installed packages.
sys.path.insert(0, str(ROOT / "tools"))

import api_reference  # noqa: E402

#: A method's first lines up to what is included below it.
_SECTION = re.compile(r"\n(.+)\n=+\n\n\.\. rest_method:: (\w+) (\S+)\n"
                      r"((?:(?!rest_method)(?s:.))*?)"
                      r"\n\.\. include:: operations/(\w+)\.inc\n")

#: Fields that stand in a table, of one operation's request or response.
_FIELD = re.compile(r"^   - ([\w.*-]+): (\S+)$", re.MULTILINE)


def names(value, told: set[str], prefix: str = "") -> Iterator[str]:
    """Yield the names of fields of a sample, as far as a table goes."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        for name, inner in one.items():
            # A map, whose keys are data.
            name = prefix + (name if prefix + "*" not in {
                field.rpartition(".")[0] for field in told} else "*")
            if not name.endswith("*"):
                yield name
            if any(field.startswith(f"{name}.") for field in told):
                yield from names(inner, told, f"{name}.")


class ApiReferenceTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.document = description.describe("https://events.example.org")
        cls.operations = {
            made["operationId"]: (method.upper(), path, made)
            for path, item in cls.document["paths"].items()
            for method, made in item.items()}
        cls.pages = {path.stem: path.read_text("utf-8")
                     for path in SOURCE.glob("*.rst")}
        cls.parameters = yaml.safe_load(
            (SOURCE / "parameters.yaml").read_text("utf-8"))

    def included(self, operation: str) -> str:
        return (SOURCE / f"operations/{operation}.inc").read_text("utf-8")

    def fields(self, operation: str, side: str) -> list[tuple[str, dict]]:
        """Return (shown name, its entry) of a table."""
        parts = re.split(r"^(Request|Response|More examples)\n-+$",
                         self.included(operation), flags=re.MULTILINE)
        found = dict(zip(parts[1::2], parts[2::2], strict=True))
        return [(name, self.parameters[key]) for name, key
                in _FIELD.findall(found.get(side, ""))]

    def test_generated_files_are_what_the_code_says(self):
        """After a change of the API: tox -e genapiref"""
        files = api_reference.make()
        for name, text in files.items():
            with self.subTest(file=name):
                self.assertEqual(text, (SOURCE / name).read_text("utf-8"))
        self.assertEqual({name for name in files if "/" in name}, {
            f"operations/{path.name}"
            for path in (SOURCE / "operations").iterdir()})

    def test_every_operation_has_one_section_and_no_other_has(self):
        """D18"""
        found = [(method, path, operation) for text in self.pages.values()
                 for _, method, path, _, operation in _SECTION.findall(text)]
        self.assertEqual(collections.Counter(
            (method, path, name) for name, (method, path, _)
            in self.operations.items()), collections.Counter(found))
        self.assertEqual(len(found), sum(
            text.count("rest_method::") for text in self.pages.values()))

    def test_every_page_is_reached_from_the_first(self):
        listed = re.findall(r"^   (\w+)$", self.pages["index"], re.MULTILINE)
        self.assertEqual(sorted({*self.pages} - {"index"}), sorted(listed))

    def test_tables_have_the_parameters_that_the_description_has(self):
        shared = self.document["components"]["parameters"]
        for name, (_, _, made) in self.operations.items():
            with self.subTest(operation=name):
                expected = {}
                for one in made.get("parameters", ()):
                    one = shared.get(
                        one.get("$ref", "").rpartition("/")[2], one)
                    expected[one["name"], one["in"]] = one.get(
                        "required", False)
                self.assertEqual(expected, {
                    (shown, entry["in"]): entry["required"]
                    for shown, entry in self.fields(name, "Request")
                    if entry["in"] != "body"})

    def test_tables_have_the_fields_that_the_samples_have(self):
        """What a sample has and nobody explains would be a riddle."""
        for sample in samples.samples():
            if sample.form != "json" or sample.variant != samples.PLAIN:
                continue
            side = "Request" if sample.role == samples.REQUEST \
                else "Response"
            with self.subTest(sample=sample.file):
                told = {shown for shown, entry in self.fields(
                    sample.operation, side) if entry["in"] == "body"}
                self.assertLessEqual(set(names(sample.value, told)), told)

    def test_every_sample_is_shown(self):
        shown = re.findall(r"literalinclude:: samples/(\S+)", "".join(
            map(self.included, self.operations)))
        self.assertEqual(sorted(one.file for one in samples.samples()),
                         sorted(shown))

    def test_every_field_is_explained(self):
        for name, entry in self.parameters.items():
            with self.subTest(parameter=name):
                self.assertRegex(entry["description"], r"(?s)\A\S.+[.)]\Z")
                self.assertNotIn(entry["type"], ("", "any"))
