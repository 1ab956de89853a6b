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


"""A history in Elasticsearch teaches what the same one in a file does."""

import contextlib
import io
import json
import pathlib
import tempfile

from monasca_events_common.store.sqlite import SqliteStore
from monasca_events_engine.learning import command
from tests.bench.sample import options
from tests.integration.test_store_elasticsearch import ElasticsearchStoreCase
from tests.unit.engine.cloud import cloud
from tests.unit.engine.test_alarms_command import document


class TestLearning(ElasticsearchStoreCase):

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = SqliteStore(options(
            SqliteStore.OPTS, path=f"{self.folder}/store.db"))
        self.addCleanup(self.file.close)

    def learnt(self, name: str, section: str, *arguments: str) -> dict:
        """Return the file that the command writes of a store."""
        config, output = self.folder / f"{name}.conf", self.folder / "out"
        config.write_text(f"[store]\ndriver = {name}\n{section}")
        with contextlib.redirect_stdout(io.StringIO()), \
                contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(0, command.start([
                f"--config-file={config}", "--output", str(output),
                *arguments]))
        return json.loads(output.read_text())

    def test_both_stores_lead_to_the_same_proposals(self):
        """Issue 4: stored history, whatever the store's driver."""
        events = cloud(count=6000)
        documents = [document(one) for one in events]
        for store in (self.store, self.file):
            for at in range(0, len(documents), 2000):
                result = store.write(documents[at:at + 2000])
                self.assertEqual((), tuple(result.rejected))
        self.refresh()
        project = events[0]["project_id"]
        for arguments in ((), ("--project", project)):
            expected, found = (
                self.learnt("sqlite", "[sqlite_store]\n"
                            f"path = {self.folder}/store.db\n", *arguments),
                self.learnt("elasticsearch", "[elasticsearch]\n"
                            f"hosts = {self.url}\n"
                            f"index_name = {self.prefix}\n", *arguments))
            with self.subTest(arguments=arguments):
                self.assertGreater(len(expected["triggers"]), 10)
                self.assertEqual(expected, found)
