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

import ast
import pathlib
import re
import runpy
import unittest

import yaml

from monasca_events_api import policies

PACKAGE = pathlib.Path(__file__).parents[3] / "monasca_events_dashboard"


def sources(pattern: str) -> str:
    return "\n".join(path.read_text("utf-8")
                     for path in sorted(PACKAGE.rglob(pattern)))


class PolicyTest(unittest.TestCase):
    """What is hidden by policy is hidden by the API's own."""

    def setUp(self):
        self.known = {one.name: one for one in policies.list_rules()}
        self.found = yaml.safe_load(
            (PACKAGE / "default_policies.yaml").read_text("utf-8"))

    def test_the_defaults_are_the_apis(self):
        """After a change of policies: tox -e genpolicy"""
        for one in self.found:
            with self.subTest(rule=one["name"]):
                rule = self.known[one["name"]]
                self.assertEqual(rule.check_str, one["check_str"])
                self.assertEqual(rule.scope_types, one["scope_types"])

    def test_every_rule_that_a_panel_asks_has_a_default(self):
        asked = set(re.findall(r'\("event",\s+"([a-z_:]+)"\)',
                               sources("*.py")))
        self.assertIn("events:list", asked)
        self.assertLessEqual(asked, {one["name"] for one in self.found})


class EnabledTest(unittest.TestCase):

    def settings(self):
        for path in sorted((PACKAGE / "enabled").glob("_[0-9]*.py")):
            with self.subTest(file=path.name):
                yield path.read_text("utf-8")

    def test_every_file_of_the_browser_is_named_and_there(self):
        named = {one for text in self.settings() for one in re.findall(
            r'"(monasca_events/[\w/.]+\.(?:js|scss))"', text)}
        there = {str(path.relative_to(PACKAGE / "static")) for path in (
            PACKAGE / "static").rglob("*.*")}
        self.assertEqual(there, named)

    def test_every_panel_is_where_it_is_said_to_be(self):
        for text in self.settings():
            for module, name in re.findall(
                    r'ADD_PANEL = "monasca_events_dashboard\.([\w.]+)\.(\w+)"',
                    text):
                path = PACKAGE / (module.replace(".", "/") + ".py")
                self.assertIn(f"class {name}(", path.read_text("utf-8"))

    def test_the_snippet_says_where_the_policies_are(self):
        """Horizon runs it with its own settings around."""
        files, defaults = {}, {}
        runpy.run_path(
            str(PACKAGE / "local_settings.d/_8010_monasca_events.py"),
            {"POLICY_FILES": files, "DEFAULT_POLICY_FILES": defaults})
        self.assertEqual(str(PACKAGE / "default_policies.yaml"),
                         defaults["event"])
        self.assertIn("event", files)


class TemplateTest(unittest.TestCase):
    """S16: what events say is shown and never run."""

    def test_nothing_is_marked_as_safe(self):
        text = sources("*.html") + sources("*.py")
        for word in ("|safe", "mark_safe", "autoescape", "SafeString(",
                     "safeseq", "__html__"):
            self.assertNotIn(word, text)

    def test_html_is_made_in_templates_and_by_one_file_that_escapes(self):
        for path in PACKAGE.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if path != PACKAGE / "events/rows.py":
                self.assertNotIn("format_html", text, path)
                continue
            for one in ast.walk(ast.parse(text)):
                if isinstance(one, ast.Call) and getattr(
                        one.func, "id", "").startswith("format_html"):
                    for argument in one.args[
                            :2 if one.func.id.endswith("join") else 1]:
                        self.assertIsInstance(argument, ast.Constant)

    def test_no_page_brings_scripts_or_styles_of_its_own(self):
        """A content security policy may forbid them."""
        for word in ("<script", "<style", "style=", "onclick", "onload"):
            self.assertNotIn(word, sources("*.html"))

    def test_scripts_write_text_and_no_markup(self):
        for word in ("innerHTML", ".html(", "insertAdjacentHTML",
                     "outerHTML", "document.write", "eval(",
                     "new Function"):
            self.assertNotIn(word, sources("*.js"))

    def test_every_page_keeps_angular_away(self):
        for path in PACKAGE.rglob("*.html"):
            text = path.read_text("utf-8")
            if "{% extends" in text and path.name != "base.html":
                with self.subTest(page=path.name):
                    self.assertIn('extends "monasca_events/', text)
