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

"""What stops the start of the engine, each with one line."""

import contextlib
import io
import pathlib
import tempfile
import unittest

from monasca_events_common import config
from monasca_events_engine import command


class TestStart(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, text: str) -> str:
        """Return the line with which the start ends."""
        path = self.folder / "events.conf"
        path.write_text(f"""
[database]
connection = sqlite:///{self.folder}/engine.db
[sqlite_bus]
path = {self.folder}/bus.db
[secrets]
key_file = {self.folder}/secrets.key
{text}""")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(1, config.run(command.start,
                                           [f"--config-file={path}"]))
        line, = said.getvalue().splitlines()
        return line

    def test_plug_ins_that_cannot_be_used(self):
        for text, expected in (
                ("[engine]\nenabled_triggers = vm_delete",
                 r"\[engine\] enabled_triggers: no plug-in 'vm_delete'"),
                ("[engine]\nenabled_metric_actions = durations\n"
                 "[durations]\nlifecycles = vm-*",
                 r"\[durations\] lifecycles: 'vm-\*' fits no lifecycle"),
                ("[missing_end]\nseconds = soon\n"
                 "[engine]\nenabled_triggers = missing_end",
                 r"\[missing_end\] seconds: .*soon"),
                ("[metric_sinks]\nenabled = graphite",
                 "no plug-in 'graphite'"),
                ("[metric_sinks]\nenabled = gnocchi",
                 r"\[engine_auth\] auth_type is not set"),
                ("[actions]\nenabled = delete-alarms",
                 r"\[engine_auth\] auth_type is not set"),
                ("[actions]\nenabled = delete-alarms\n"
                 "[alarm_removal]\nservices = zabbix",
                 "no plug-in 'zabbix'"),
                ("[engine]\nenabled_triggers = delete_alarms",
                 r"\[actions\] enabled lacks delete-alarms")):
            with self.subTest(options=text):
                self.assertRegex(self.start(text), f"^error: .*{expected}")
