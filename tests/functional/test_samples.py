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



"""Samples of the reference are what the API says; D18.

Each is played against the API and compared, and is valid by the description.
After a change of what the API says: python -m tests.functional.story
"""

import csv
import io
import json
import re
import unittest

import jsonschema

from monasca_events_api import description
from monasca_events_api.description import samples
from monasca_events_api.description import words
from tests.functional import service
from tests.functional import story


def shape(value):
    """Return a value with its types in place of its ends."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value).__name__


def read(text: str, form: str):
    """Return what an answer of that form holds."""
    if form == "json":
        return json.loads(text)
    if form == "csv":
        return list(csv.DictReader(io.StringIO(text)))
    if form == "ndjson":
        return [json.loads(line) for line in text.splitlines()]
    # Server-sent events: blocks of fields.
    return [{name: json.loads(said) if name == "data" else said
             for name, said in re.findall("^([a-z]+): (.*)$", block,
                                          re.MULTILINE)}
            for block in text.strip().split("\n\n")]


class SampleCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.document = description.describe(story.URL)
        cls.operations = {
            made["operationId"]: made for item
            in cls.document["paths"].values() for made in item.values()}

    def validate(self, schema, value) -> None:
        jsonschema.Draft202012Validator({
            **schema, "components": self.document["components"]}
        ).validate(value)


@unittest.skipIf(service.is_live(), "these tests need a service of their own")
class ReplayTest(SampleCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        told = story.Story()
        cls.addClassCleanup(told.close)
        told.tell()
        cls.told = told.told

    def test_each_request_is_answered_as_its_sample_says(self):
        for name, status, text, form in self.told:
            with self.subTest(sample=name, status=status):
                path = story.FOLDER / f"{name}-{status}.{form}"
                if status == 204:
                    self.assertEqual((False, ""), (path.exists(), text))
                    continue
                self.assertEqual(shape(read(path.read_text("utf-8"), form)),
                                 shape(read(text, form)))

    def test_no_sample_is_left_out(self):
        played = {f"{name}-{status}.{form}"
                  for name, status, text, form in self.told if text}
        asked = {name for name, *_ in self.told}
        for one in samples.samples():
            with self.subTest(sample=one.file):
                if one.role == samples.REQUEST:
                    self.assertIn(one.file.rpartition("-")[0], asked)
                else:
                    self.assertIn(one.file, played)

    def test_every_operation_is_asked_for_as_it_is_meant(self):
        succeeded = {name.partition("-")[0] for name, status, *_
                     in self.told if status < 300}
        self.assertEqual(set(self.operations), succeeded | {story.WHOLE})


class DescribedTest(SampleCase):

    def test_answers_are_as_described(self):
        for one in samples.samples():
            if one.role == samples.REQUEST:
                continue
            with self.subTest(sample=one.file):
                said = self.operations[one.operation]["responses"][one.role]
                if "$ref" in said:
                    said = self.document["components"]["responses"][one.role]
                self.validate(said["content"][samples.media_type(one)][
                    "schema"], one.value)

    def test_bodies_are_as_described_and_shown_as_examples(self):
        for one in samples.samples():
            if one.role != samples.REQUEST or one.form != "json":
                continue
            with self.subTest(sample=one.file):
                said = self.operations[one.operation]["requestBody"][
                    "content"][samples.media_type(one)]
                self.assertEqual(said["examples"][one.variant],
                                 {"value": one.value})
                self.validate(said["schema"], one.value)

    def test_what_needs_a_body_has_a_sample_of_one(self):
        shown = {one.operation for one in samples.samples()
                 if one.role == samples.REQUEST and one.form == "json"}
        self.assertLessEqual(
            {name for name, made in self.operations.items()
             if made.get("requestBody", {}).get("required")}, shown)

    def test_every_field_says_what_it_means(self):
        silent = {name: found for name, schema
                  in self.document["components"]["schemas"].items()
                  if (found := list(words.silent(schema)))}
        for name, made in self.operations.items():
            for part in (made.get("requestBody", {}),
                         *made["responses"].values()):
                for said in part.get("content", {}).values():
                    if found := list(words.silent(said["schema"])):
                        silent[name] = found
        self.assertEqual({}, silent)

    def test_no_word_is_about_nothing(self):
        text = json.dumps(self.document)
        self.assertEqual([], [name for name, said in words.WORDS.items()
                              if json.dumps(said)[:-1] not in text])
