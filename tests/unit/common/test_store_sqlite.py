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

import os
import tempfile
import unittest

from oslo_config import cfg

from monasca_events_common.store.sqlite import SqliteStore
from tests.contract.store import StoreContract


def configured(**values):
    """Return the driver's option group, with some values set."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    conf.register_opts(SqliteStore.OPTS, group=SqliteStore.GROUP)
    for name, value in values.items():
        conf.set_override(name, value, group=SqliteStore.GROUP)
    return conf[SqliteStore.GROUP]


class SqliteStoreCase(unittest.TestCase):
    """A store in a file of its own."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "events.db")
        self.store = self.open()

    def open(self, **values) -> SqliteStore:
        store = SqliteStore(configured(path=self.path, **values))
        self.addCleanup(store.close)
        return store


class TestContract(StoreContract, SqliteStoreCase):
    pass
