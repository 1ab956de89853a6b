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

"""What is in ``etc`` besides the two generated samples can be used as it is.

B28: systemd's units, uwsgi's settings, a site's definitions, logging.
"""

import configparser
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from oslo_config import cfg

from monasca_events_agent import definitions
from monasca_events_api import options
from monasca_events_api.live import places
from monasca_events_common import daemon
from tests.unit.docs.test_docs import entry_points

ROOT = pathlib.Path(__file__).parents[3]
ETC = ROOT / "etc"
UNITS = sorted((ETC / "systemd").glob("*.service"))
CONFIGURATION = "/etc/monasca-events/monasca-events.conf"

#: Where an installation has its programs.
PROGRAMS = "/opt/monasca-events/bin/"

#: What an API behind uwsgi must say, since clients do not survive a fork and
#: since no application would answer 500 for ever.
_UWSGI = {"module": "monasca_events_api.wsgi:application",
          "env": f"MONASCA_EVENTS_CONFIG={CONFIGURATION}",
          "home": "/opt/monasca-events", "lazy-apps": "true",
          "need-app": "true", "die-on-term": "true"}

_LOGS = """
import logging, sys
from monasca_events_common import config
conf = config.load(["--config-file", sys.argv[1]], "monasca-events-agent")
config.set_up_logging(conf)
for name in ("agent", "api", "persister", "engine", "common"):
    logging.getLogger(f"monasca_events_{name}.part").info("from %s", name)
logging.getLogger("somebody.else").info("of no interest")
logging.getLogger("somebody.else").warning("of interest")
"""


def parsed(path: pathlib.Path) -> configparser.RawConfigParser:
    found = configparser.RawConfigParser(default_section="")
    found.optionxform = str
    found.read(path)
    return found


class UnitFilesTest(unittest.TestCase):

    def services(self) -> dict[str, configparser.SectionProxy]:
        return {path.stem: parsed(path)["Service"] for path in UNITS}

    def test_each_service_has_a_unit_that_starts_its_command(self):
        expected = {
            f"monasca-events-{name}":
                f"{PROGRAMS}monasca-events-{name} --config-file "
                f"{CONFIGURATION}"
            for name in ("agent", "persister", "engine")}
        expected["monasca-events-api"] = (
            f"{PROGRAMS}uwsgi --ini "
            "/etc/monasca-events/monasca-events-api-uwsgi.ini")
        self.assertEqual(expected, {
            name: service["ExecStart"]
            for name, service in self.services().items()})
        self.assertLessEqual(set(expected), set(entry_points(
            "console_scripts")))

    def test_they_may_finish_what_they_have_in_hand(self):
        for name, service in self.services().items():
            with self.subTest(unit=name):
                # cotyledon waits five seconds longer than a worker may take.
                self.assertGreater(int(service["TimeoutStopSec"]),
                                   daemon.GRACE + 5)
                # The parent alone is told: it tells its workers.
                self.assertEqual("mixed", service["KillMode"])
                self.assertEqual("/bin/kill -HUP $MAINPID",
                                 service["ExecReload"])

    def test_all_are_confined_alike(self):
        words = {name: {key: value for key, value in service.items()
                        if key.startswith(("Protect", "Private", "Restrict",
                                           "Lock", "System", "NoNew",
                                           "Capability", "UMask", "User",
                                           "State"))
                        and not key.startswith("RestartSec")}
                 for name, service in self.services().items()}
        first = words["monasca-events-agent"]
        self.assertEqual("strict", first["ProtectSystem"])
        self.assertEqual("0077", first["UMask"])
        self.assertEqual({name: first for name in words}, words)

    def test_systemd_finds_no_fault_with_them(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        with tempfile.TemporaryDirectory() as folder:
            for path in UNITS:
                # The same programs, where this machine has them.
                text = path.read_text().replace(
                    f"{PROGRAMS}uwsgi", "/bin/true").replace(
                    PROGRAMS, f"{pathlib.Path(sys.executable).parent}/")
                pathlib.Path(folder, path.name).write_text(text)
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no",
                 *(str(one) for one in pathlib.Path(folder).iterdir())],
                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))


class UwsgiSampleTest(unittest.TestCase):

    def test_it_serves_our_application_and_survives_its_fork(self):
        found = parsed(ETC / "monasca-events-api-uwsgi.ini.sample")["uwsgi"]
        self.assertEqual(_UWSGI, {name: found[name] for name in _UWSGI})

    def test_streams_leave_threads_to_requests_as_configured(self):
        """S17: where streams take a server's threads, there are enough."""
        conf = cfg.ConfigOpts()
        for group, opts in options.OPTIONS:
            conf.register_opts(opts, group=group)
        conf([], default_config_files=[], default_config_dirs=[])
        pages = ROOT / "doc/source/admin"
        for path, pattern in (
                (ETC / "monasca-events-api-uwsgi.ini.sample",
                 r"(?m)^threads = (\d+)$"),
                (ROOT / "devstack/settings", r"API_THREADS:-(\d+)}"),
                (pages / "api.rst", r"WSGIDaemonProcess .* threads=(\d+)"),
                (pages / "install.rst", r"gunicorn .*--threads (\d+)"),
                (pages / "install.rst", r"server_threads = (\d+)")):
            threads, = re.findall(pattern, path.read_text())
            with self.subTest(path=path.name, pattern=pattern):
                self.assertEqual(conf.live.max_streams, places.spare(
                    int(threads), conf.api.threads))


class DefinitionsSampleTest(unittest.TestCase):

    def test_the_agent_takes_it(self):
        path = ETC / "definitions.yaml.sample"
        text = path.read_text()
        definitions.Definitions.load([str(path)])
        page = (ROOT / "doc/source/reference/definitions.rst").read_text()
        for name in re.findall(r"(?m)^- name: (\S+)$", text):
            self.assertIn(f"- name: {name}\n", page)


class LoggingSampleTest(unittest.TestCase):

    def test_it_tells_what_ours_say_and_what_others_warn_of(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[DEFAULT]\nlog_config_append = "
                       f"{ETC}/logging.conf.sample\n")
            file.flush()
            told = subprocess.run(
                [sys.executable, "-c", _LOGS, file.name], check=True,
                capture_output=True, text=True, cwd=ROOT).stderr
        for name in ("agent", "api", "persister", "engine", "common"):
            self.assertIn(f"from {name}", told)
        self.assertIn("of interest", told)
        self.assertNotIn("of no interest", told)


if __name__ == "__main__":
    unittest.main()
