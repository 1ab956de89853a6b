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


"""What definitions said before: who changed what, and when.

What it makes never changes any more, whatever becomes of the tables later; so
it says everything itself and reads nothing of them.
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_JSON = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "definition_versions",
        sa.Column("definition_id", sa.String(36), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False,
                  autoincrement=False),
        sa.Column("content", _JSON, nullable=False),
        sa.Column("user_id", sa.String(64)),
        sa.Column("at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("definition_id", "revision",
                                name="pk_definition_versions"),
        **{f"{name}_{what}": value for name in ("mysql", "mariadb")
           for what, value in (("charset", "utf8mb4"),
                               ("collate", "utf8mb4_bin"),
                               ("engine", "InnoDB"))})
