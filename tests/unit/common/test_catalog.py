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

"""The catalog on SQLite, and the keys of its secrets."""

import os
import pathlib
import tempfile
import threading
import unittest

from oslo_config import cfg
import sqlalchemy as sa

from monasca_events_common import database as databases
from monasca_events_common.catalog.secrets import Secrets
from monasca_events_common.database import command
from monasca_events_common.database import Database
from monasca_events_common.database import tables
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from tests.contract import catalog


class FolderCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class TestSqliteCatalog(catalog.CatalogContract, FolderCase):

    def setUp(self):
        super().setUp()
        self.database = Database(f"sqlite:///{self.folder}/events.db")
        self.addCleanup(self.database.close)
        self.set_up_contract()

    def test_the_file_is_for_its_user_alone(self):
        mode = (self.folder / "events.db").stat().st_mode
        self.assertEqual(0, mode & 0o077)


class TestConnection(FolderCase):

    def test_a_wrong_url_stops_the_start_and_is_not_repeated(self):
        for url in ("nonsense:pass", "mysql+nosuch://u:pass@h/d"):
            with self.assertRaises(Misconfigured) as caught:
                Database(url)
            self.assertNotIn("pass", str(caught.exception))

    def test_a_database_that_is_away_is_unavailable(self):
        found = Database(f"sqlite:///{self.folder}")
        with self.assertRaises(Unavailable):
            found.version()
        self.assertFalse(found.health().ok)


class TestStart(FolderCase):
    """What a service does that comes up before its database."""

    def configuration(self, path):
        conf = cfg.ConfigOpts()
        conf.register_opts(databases.OPTS, group=databases.GROUP)
        conf([])
        conf.set_override("connection", f"sqlite:///{path}",
                          group=databases.GROUP)
        return conf

    def test_it_waits_for_the_database_where_it_may(self):
        path = self.folder / "x.db"
        path.mkdir()
        conf = self.configuration(path)
        with self.assertRaises(Unavailable):
            databases.get_database(conf)
        with self.assertLogs("monasca_events_common.database", "WARNING"):
            found = databases.get_database(conf, patient=True)
        self.addCleanup(found.close)
        self.assertFalse(found.health().ok)
        path.rmdir()
        with found.read() as connection:
            self.assertEqual(0, connection.scalar(
                sa.select(tables.REVISIONS.c.value)))
        self.assertTrue(found.health().ok)

    def test_tables_of_another_release_stop_the_start(self):
        path = self.folder / "x.db"
        self.make_newer(path)
        for patient in (False, True):
            with self.assertRaisesRegex(Misconfigured, "a newer release"):
                databases.get_database(self.configuration(path),
                                       patient=patient)

    def test_tables_of_another_release_that_come_later_are_not_used(self):
        self.make_newer(self.folder / "newer.db")
        path = self.folder / "x.db"
        path.mkdir()
        with self.assertLogs("monasca_events_common.database", "WARNING"):
            found = databases.get_database(self.configuration(path),
                                           patient=True)
        self.addCleanup(found.close)
        path.rmdir()
        (self.folder / "newer.db").rename(path)
        with self.assertLogs("monasca_events_common.database", "ERROR"):
            with self.assertRaisesRegex(Unavailable, "a newer release"):
                with found.read():
                    raise AssertionError("never reached")

    def make_newer(self, path):
        found = Database(f"sqlite:///{path}")
        found.upgrade()
        with found.begin() as connection:
            connection.execute(sa.text(
                "UPDATE alembic_version SET version_num = '9999'"))
        found.close()

    def test_while_it_is_away_one_call_tries_and_the_others_know(self):
        trying, go = threading.Event(), threading.Event()
        calls: list[int] = []

        def prepare():
            calls.append(1)
            trying.set()
            go.wait(60)
            raise Unavailable("still away")

        found = Database(f"sqlite:///{self.folder}/x.db")
        self.addCleanup(found.close)
        found.prepare_later(prepare)
        first = threading.Thread(target=found.health)
        first.start()
        self.assertTrue(trying.wait(60))
        with self.assertRaisesRegex(Unavailable, "another call"):
            with found.read():
                raise AssertionError("never reached")
        go.set()
        first.join(60)
        self.assertEqual([1], calls)


class TestCommand(FolderCase):

    def run_it(self, *verb: str) -> int:
        file = self.folder / "c.conf"
        file.write_text("[database]\nconnection = "
                        f"sqlite:///{self.folder}/x.db\n")
        return command.start(["--config-file", str(file), *verb])

    def test_it_upgrades_and_says_when_there_is_nothing_to_do(self):
        self.assertEqual(3, self.run_it("check"))
        self.assertEqual(0, self.run_it("upgrade"))
        self.assertEqual(0, self.run_it("upgrade"))
        self.assertEqual(0, self.run_it("check"))
        found = Database(f"sqlite:///{self.folder}/x.db")
        self.addCleanup(found.close)
        self.assertEqual(databases.NEWEST, found.version())


class TestSecrets(FolderCase):

    def test_what_was_encrypted_comes_back_after_a_restart(self):
        token = Secrets(self.folder / "k", make=True).encrypt("whsec")
        self.assertNotIn(b"whsec", token)
        self.assertEqual("whsec", Secrets(self.folder / "k").decrypt(token))

    def test_a_new_key_in_front_still_reads_the_old_secrets(self):
        file = self.folder / "k"
        token = Secrets(file, make=True).encrypt("old")
        other = self.folder / "other"
        Secrets(other, make=True)
        file.write_text(other.read_text() + file.read_text())
        self.assertEqual("old", Secrets(file).decrypt(token))
        with self.assertRaises(Misconfigured):
            Secrets(other).decrypt(token)

    def test_a_file_that_others_can_read_is_refused(self):
        file = self.folder / "k"
        Secrets(file, make=True)
        os.chmod(file, 0o644)
        with self.assertRaisesRegex(Misconfigured, "mode 0600"):
            Secrets(file)

    def test_no_file_and_no_key_are_told_apart(self):
        with self.assertRaisesRegex(Misconfigured, "No such file"):
            Secrets(self.folder / "none")
        file = self.folder / "k"
        file.write_text("nonsense\n")
        file.chmod(0o600)
        with self.assertRaisesRegex(Misconfigured, "holds no key"):
            Secrets(file)

    def test_of_several_who_make_it_all_have_the_same(self):
        file, made = self.folder / "k", []

        def make():
            made.append(Secrets(file, make=True))
        threads = [threading.Thread(target=make) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        token = made[0].encrypt("x")
        self.assertEqual(["x"] * 8, [one.decrypt(token) for one in made])
