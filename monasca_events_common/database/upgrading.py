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

"""Bringing the database's tables up to date, with alembic.

Loaded only where the tables are not those of this release: alembic and what
it needs take 10 MB of each process.
"""

from alembic import command
from alembic import config
from alembic import script
import sqlalchemy as sa


def upgrade(connection: sa.Connection) -> None:
    """Bring the tables up to date within the connection's transaction."""
    settings = _settings()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def known() -> list[str]:
    """Return the versions that this release knows, the newest first."""
    return [one.revision for one in script.ScriptDirectory.from_config(
        _settings()).walk_revisions()]


def _settings() -> config.Config:
    settings = config.Config()
    settings.set_main_option(
        "script_location", "monasca_events_common.database:migrations")
    settings.set_main_option("path_separator", "os")
    return settings
