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

"""The samples and the documentation say what the code says."""

from collections.abc import Iterable
from importlib import metadata
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from oslo_config import cfg
from oslo_config import generator
from oslo_policy import generator as policy_generator

from monasca_events_agent import options as agent_options
from monasca_events_api import options as api_options
from monasca_events_api import policies
from monasca_events_common import config
from monasca_events_engine import options as engine_options
from monasca_events_persister import options as persister_options

ROOT = pathlib.Path(__file__).parents[3]

#: Groups in the samples whose options are others': their words and defaults
#: change with the versions of those libraries.
FOREIGN = ("DEFAULT", "api_auth", "engine_auth", "keystone_authtoken",
           "oslo_policy")

#: Roles whose plug-ins an operator names.
NAMESPACES = ("monasca_events.bus", "monasca_events.store",
              "monasca_events.sources", "monasca_events.replayers",
              "monasca_events.identity", "monasca_events.actions",
              "monasca_events.triggers", "monasca_events.metric_actions",
              "monasca_events.metric_sinks",
              "monasca_events.alarm_services",
              "monasca_events.timeline_sources",
              "oslo.messaging.notify.drivers")

#: What openstack loads; it names no plug-in of an operator's.
CLIENT = ("openstack.cli.extension", "openstack.event.v1")

#: Commands that a person types, rather than a supervisor.
TYPED = ("monasca-events-alarms", "monasca-events-dead-letters",
         "monasca-events-generate", "monasca-events-learn",
         "monasca-events-measures",
         "monasca-events-standalone")


def unmentioned(names: Iterable[str]) -> list[str]:
    """Return the names that no page of the documentation has as a literal."""
    text = "\n".join(path.read_text("utf-8")
                     for path in (ROOT / "doc/source").rglob("*.rst"))
    return sorted(name for name in names if f"``{name}``" not in text)


def sections(text: str) -> dict[str, str]:
    """Return group → its text, of a sample configuration file."""
    parts = re.split(r"^\[([\w.]+)\]$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options() -> list[tuple[str, cfg.Opt]]:
    """Return every (group, option) of ours."""
    return [(group, opt)
            for module in (config, api_options, agent_options,
                           persister_options, engine_options)
            for group, opts in module.list_opts() for opt in opts]


def entry_points(group: str) -> list[str]:
    """Return the names that this project's ``setup.cfg`` gives a group."""
    text = (ROOT / "setup.cfg").read_text("utf-8")
    block = re.search(rf"^{re.escape(group)} =\n((?:    .*\n)+)", text,
                      re.MULTILINE)
    return re.findall(r"^    ([\w.-]+) =", block[1], re.MULTILINE)


class ConfigurationSampleTest(unittest.TestCase):

    def generated(self) -> str:
        """Return the sample as the generator's own file makes it now."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
            generator.main([
                "--config-file",
                str(ROOT / "etc/monasca-events-config-generator.conf"),
                "--output-file", file.name])
            return file.read()

    def setUp(self):
        self.committed = (ROOT / "etc/monasca-events.conf.sample").read_text(
            "utf-8")

    def test_it_is_what_the_code_says(self):
        """After a change of options: tox -e genconfig"""
        expected, found = (sections(self.generated()),
                           sections(self.committed))
        self.assertEqual(sorted(expected), sorted(found))
        for group in sorted(set(expected) - set(FOREIGN)):
            with self.subTest(group=group):
                self.assertEqual(expected[group], found[group])

    def test_every_option_is_there(self):
        found = sections(self.committed)
        for group, opt in options():
            with self.subTest(option=f"{group}.{opt.name}"):
                self.assertRegex(
                    found[group],
                    rf"(?m)^#{re.escape(opt.name.replace('-', '_'))} = ?")

    def test_every_option_of_ours_is_explained_in_a_sentence(self):
        for group, opt in options():
            if group in FOREIGN:
                continue
            with self.subTest(option=f"{group}.{opt.name}"):
                self.assertRegex(opt.help or "", r"(?s)\A[A-Z0-9].*\.\Z")

    def test_it_names_no_place_of_the_machine_that_made_it(self):
        for place in (str(ROOT), str(pathlib.Path.home()), sys.prefix):
            self.assertNotIn(f"{place}/", self.committed)

    def test_it_can_be_read(self):
        """A line that somebody uncomments must not be a mistake already."""
        parsed = cfg.ConfigOpts()
        parsed(["--config-file", str(ROOT / "etc/monasca-events.conf.sample")])


class PolicySampleTest(unittest.TestCase):

    def setUp(self):
        self.committed = (ROOT / "etc/policy.yaml.sample").read_text("utf-8")

    def test_it_is_what_the_code_says(self):
        """After a change of policies: tox -e genpolicy"""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
            policy_generator.generate_sample([
                "--config-file",
                str(ROOT / "etc/monasca-events-policy-generator.conf"),
                "--output-file", file.name], conf=cfg.ConfigOpts())
            self.assertEqual(file.read(), self.committed)

    def test_every_policy_is_explained(self):
        for rule in policies.list_rules():
            with self.subTest(rule=rule.name):
                self.assertIn(f'#"{rule.name}":', self.committed)
                self.assertTrue(rule.description.endswith("."))
                self.assertTrue(rule.operations)


class PagesTest(unittest.TestCase):

    def test_every_plug_in_is_mentioned(self):
        self.assertEqual([], unmentioned(
            name for namespace in NAMESPACES
            for name in entry_points(namespace)))

    def test_what_is_installed_is_what_setup_cfg_says(self):
        """An environment that is older than setup.cfg tests nothing."""
        for namespace in (*NAMESPACES, *CLIENT):
            installed = {one.name for one in metadata.entry_points(
                group=namespace)}
            self.assertLessEqual(set(entry_points(namespace)), installed)

    def test_every_command_is_mentioned(self):
        self.assertEqual([], unmentioned(entry_points("console_scripts")))
        self.assertEqual([], unmentioned(
            name.replace("_", " ")
            for name in entry_points("openstack.event.v1")))

    def test_every_command_helps(self):
        for name in entry_points("console_scripts"):
            with self.subTest(command=name):
                done = subprocess.run(
                    [str(pathlib.Path(sys.executable).parent / name),
                     "--help"],
                    capture_output=True, text=True, check=False)
                self.assertEqual(0, done.returncode, done.stderr)
                self.assertIn(f"usage: {name}", done.stdout)
                if name in TYPED:
                    self.assertRegex(done.stdout, r"(?i)examples?:")
                    self.assertIn(f"  {name} ", done.stdout)

    def test_the_readme_shows_both_commands_on_its_first_screen(self):
        screen = (ROOT / "README.rst").read_text("utf-8").splitlines()[:40]
        for command in ("tools/standalone.sh", "tools/test.sh"):
            self.assertIn(f"  $ {command}", screen)
            self.assertTrue((ROOT / command).stat().st_mode & 0o100)

    def test_every_extra_is_mentioned(self):
        text = (ROOT / "setup.cfg").read_text("utf-8")
        block = text[text.index("[extras]"):text.index("[entry_points]")]
        names = set(re.findall(r"^(\w+) =", block, re.MULTILINE))
        # Of what is to come there is nothing to say yet.
        self.assertEqual([], unmentioned(names - {"engine"}))
