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

"""The tables, as this release has them; migrations lead there.

Times that people see are canonical text, those that are computed with are
seconds since the epoch. JSON is kept as text, so that every database keeps it
alike.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

META = sa.MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s"})

# Names are compared by their bytes everywhere, as SQLite does. SQLAlchemy
# takes each of the two spellings for the URLs that begin so.
_KIND = {f"{name}_{what}": value for name in ("mysql", "mariadb")
         for what, value in (("charset", "utf8mb4"),
                             ("collate", "utf8mb4_bin"),
                             ("engine", "InnoDB"))}

#: JSON of up to 16 MiB; MySQL's TEXT ends at 64 KiB.
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

#: A digest or a UUID as 16 bytes.
Digest = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")

Blob = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")

REVISIONS = sa.Table(
    "revisions", META,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False), **_KIND)

#: Triggers, notification methods, transforms and settings of tenants. A row
#: stays when its definition is deleted, without name, so that whoever follows
#: learns of it.
DEFINITIONS = sa.Table(
    "definitions", META,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("resource", sa.String(32), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("content", Json, nullable=False),
    sa.Column("secret", Blob),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("updated_at", sa.String(32), nullable=False),
    sa.Column("deleted", sa.Boolean(create_constraint=False),
              nullable=False),
    sa.UniqueConstraint("resource", "project_id", "name"), **_KIND)

#: What a definition said from a revision on, the newest ones; see the catalog.
VERSIONS = sa.Table(
    "definition_versions", META,
    sa.Column("definition_id", sa.String(36), primary_key=True),
    sa.Column("revision", sa.BigInteger, primary_key=True,
              autoincrement=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("user_id", sa.String(64)),
    sa.Column("at", sa.String(32), nullable=False), **_KIND)

#: How far a consumer group has come, in the same transaction as what it did.
POSITIONS = sa.Table(
    "positions", META,
    sa.Column("consumers", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(128), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True,
              autoincrement=False),
    sa.Column("next", sa.BigInteger, nullable=False),
    # Up to here everything was judged once; from `next` to here only what
    # waits for its turn is read again after a restart.
    sa.Column("judged", sa.BigInteger, nullable=False), **_KIND)

#: One trigger of one group of events.
STATES = sa.Table(
    "trigger_states", META,
    sa.Column("id", Digest, primary_key=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("trigger_id", sa.String(64), nullable=False),
    sa.Column("generation", sa.String(32), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("group_key", Json, nullable=False),
    sa.Column("state", Json, nullable=False),
    sa.Column("lineage", Json),
    sa.Column("deadline", sa.Double),
    sa.Index(None, "partition", "deadline"),
    sa.Index(None, "trigger_id", "generation"), **_KIND)

#: Events that ordered triggers have taken note of, while they may come again.
SEEN = sa.Table(
    "seen_events", META,
    sa.Column("event_id", Digest, primary_key=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("at", sa.Double, nullable=False, index=True), **_KIND)

#: What triggers found.
FIRINGS = sa.Table(
    "firings", META,
    sa.Column("firing_id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("trigger_id", sa.String(64), nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False, index=True),
    sa.Index(None, "project_id", "trigger_id", "at", "firing_id"),
    sa.Index(None, "project_id", "at", "firing_id"), **_KIND)

#: The outbox: each firing with each action that it leads to.
DELIVERIES = sa.Table(
    "deliveries", META,
    sa.Column("delivery_id", sa.String(36), primary_key=True),
    sa.Column("firing_id", sa.String(36), nullable=False, index=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("method_id", sa.String(36)),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.Double, nullable=False),
    sa.Column("lease_owner", sa.String(36)),
    sa.Column("lease_until", sa.Double, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("result", Json),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Index(None, "status", "next_at"),
    sa.Index(None, "method_id", "updated_at"),
    sa.Index(None, "lease_owner"), **_KIND)

#: Measures on their way to where metrics are kept.
MEASURES = sa.Table(
    "measures", META,
    # A digest of what it says, so that the same measure is one row.
    sa.Column("id", Digest, primary_key=True),
    sa.Column("sink", sa.String(128), nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    # What is parked is due at the end of time.
    sa.Column("next_at", sa.Double, nullable=False),
    sa.Column("lease_owner", sa.String(36)),
    sa.Column("lease_until", sa.Double, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Index(None, "sink", "next_at"), **_KIND)

#: Running totals for Prometheus, exact because they change with the state.
TOTALS = sa.Table(
    "metric_totals", META,
    sa.Column("id", Digest, primary_key=True),
    sa.Column("partition", sa.Integer, nullable=False, index=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("labels", Json, nullable=False),
    sa.Column("content", Json, nullable=False), **_KIND)

#: Work that takes a while and is asked about meanwhile: back-tests.
JOBS = sa.Table(
    "jobs", META,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False, index=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("request", Json, nullable=False),
    sa.Column("result", Json),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("lease_owner", sa.String(36)),
    sa.Column("lease_until", sa.Double, nullable=False),
    sa.Index(None, "kind", "status"), **_KIND)
