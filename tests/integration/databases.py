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

"""Databases of a test's own on the real servers."""

from collections.abc import Mapping
import unittest
import uuid

import sqlalchemy as sa

_DRIVERS = {"mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg"}


def make_database(case: type[unittest.TestCase], server: str, where: Mapping
                  ) -> str:
    """Make an empty database, dropped when the class is done.

    :param where: what ``servers.up`` returned
    :return: its SQLAlchemy URL
    """
    url = sa.make_url(where["url"]).set(drivername=_DRIVERS[server])
    name = f"test_{uuid.uuid4().hex[:12]}"

    def run(statement: str) -> None:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()

    run(f"CREATE DATABASE {name}")
    case.addClassCleanup(run, f"DROP DATABASE {name}" + (
        " WITH (FORCE)" if server == "postgresql" else ""))
    return url.set(database=name).render_as_string(hide_password=False)
