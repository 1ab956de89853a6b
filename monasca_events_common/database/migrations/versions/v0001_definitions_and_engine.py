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


"""Definitions, the engine's state, its outbox and jobs.

What it makes never changes any more, whatever becomes of the tables later; so
it says everything itself and reads nothing of them.
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

# Names are compared by their bytes everywhere, as SQLite does. SQLAlchemy
# takes each of the two spellings for the URLs that begin so.
_KIND = {f"{name}_{what}": value for name in ("mysql", "mariadb")
         for what, value in (("charset", "utf8mb4"),
                             ("collate", "utf8mb4_bin"),
                             ("engine", "InnoDB"))}

_JSON = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_BLOB = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
_DIGEST = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql",
                                          "mariadb")


def upgrade() -> None:
    _make_definitions()
    _make_state()
    _make_outbox()
    _make_measures()
    _make_jobs()


def _make(table: str, key: list[str], *columns: sa.Column) -> sa.Table:
    return op.create_table(
        table, *columns, sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
        **_KIND)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _needed(name: str, kind, **more) -> sa.Column:
    return sa.Column(name, kind, nullable=False, **more)


def _make_definitions() -> None:
    revisions = _make(
        "revisions", ["name"],
        _needed("name", sa.String(32)),
        _needed("value", sa.BigInteger()))
    op.bulk_insert(revisions, [{"name": "catalog", "value": 0}])
    _make(
        "definitions", ["id"],
        _needed("id", sa.String(36)),
        _needed("resource", sa.String(32)),
        _needed("project_id", sa.String(64)),
        sa.Column("name", sa.String(255)),
        _needed("content", _JSON),
        sa.Column("secret", _BLOB),
        _needed("revision", sa.BigInteger()),
        _needed("created_at", sa.String(32)),
        _needed("updated_at", sa.String(32)),
        _needed("deleted", sa.Boolean(create_constraint=False)),
        sa.UniqueConstraint(
            "resource", "project_id", "name",
            name="uq_definitions_resource_project_id_name"))
    _index("definitions", "revision")


def _make_state() -> None:
    _make(
        "positions", ["consumers", "topic", "partition"],
        _needed("consumers", sa.String(64)),
        _needed("topic", sa.String(128)),
        _needed("partition", sa.Integer(), autoincrement=False),
        _needed("next", sa.BigInteger()),
        _needed("judged", sa.BigInteger()))
    _make(
        "trigger_states", ["id"],
        _needed("id", _DIGEST),
        _needed("partition", sa.Integer()),
        _needed("trigger_id", sa.String(64)),
        _needed("generation", sa.String(32)),
        _needed("project_id", sa.String(64)),
        _needed("source", sa.String(64)),
        _needed("group_key", _JSON),
        _needed("state", _JSON),
        sa.Column("lineage", _JSON),
        sa.Column("deadline", sa.Double()))
    _index("trigger_states", "partition", "deadline")
    _index("trigger_states", "trigger_id", "generation")
    _make(
        "seen_events", ["event_id"],
        _needed("event_id", _DIGEST),
        _needed("partition", sa.Integer()),
        _needed("at", sa.Double()))
    _index("seen_events", "at")


def _make_outbox() -> None:
    _make(
        "firings", ["firing_id"],
        _needed("firing_id", sa.String(36)),
        _needed("project_id", sa.String(64)),
        _needed("trigger_id", sa.String(64)),
        _needed("at", sa.Double()),
        _needed("outcome", sa.String(16)),
        _needed("content", _JSON),
        _needed("created_at", sa.Double()))
    _index("firings", "created_at")
    _index("firings", "project_id", "trigger_id", "at", "firing_id")
    _index("firings", "project_id", "at", "firing_id")
    _make(
        "deliveries", ["delivery_id"],
        _needed("delivery_id", sa.String(36)),
        _needed("firing_id", sa.String(36)),
        _needed("project_id", sa.String(64)),
        sa.Column("method_id", sa.String(36)),
        _needed("action", sa.String(64)),
        _needed("status", sa.String(16)),
        _needed("attempts", sa.Integer()),
        _needed("next_at", sa.Double()),
        sa.Column("lease_owner", sa.String(36)),
        _needed("lease_until", sa.Double()),
        sa.Column("last_error", sa.Text()),
        sa.Column("result", _JSON),
        _needed("updated_at", sa.Double()))
    _index("deliveries", "firing_id")
    _index("deliveries", "status", "next_at")
    _index("deliveries", "method_id", "updated_at")
    _index("deliveries", "lease_owner")


def _make_measures() -> None:
    _make(
        "measures", ["id"],
        _needed("id", _DIGEST),
        _needed("sink", sa.String(128)),
        _needed("partition", sa.Integer()),
        _needed("content", _JSON),
        _needed("attempts", sa.Integer()),
        _needed("next_at", sa.Double()),
        sa.Column("lease_owner", sa.String(36)),
        _needed("lease_until", sa.Double()),
        sa.Column("last_error", sa.Text()),
        _needed("created_at", sa.Double()))
    _index("measures", "sink", "next_at")
    _make(
        "metric_totals", ["id"],
        _needed("id", _DIGEST),
        _needed("partition", sa.Integer()),
        _needed("name", sa.String(128)),
        _needed("labels", _JSON),
        _needed("content", _JSON))
    _index("metric_totals", "partition")


def _make_jobs() -> None:
    _make(
        "jobs", ["job_id"],
        _needed("job_id", sa.String(36)),
        _needed("project_id", sa.String(64)),
        _needed("kind", sa.String(32)),
        _needed("status", sa.String(16)),
        _needed("request", _JSON),
        sa.Column("result", _JSON),
        _needed("created_at", sa.Double()),
        _needed("updated_at", sa.Double()),
        sa.Column("lease_owner", sa.String(36)),
        _needed("lease_until", sa.Double()))
    _index("jobs", "project_id")
    _index("jobs", "kind", "status")
