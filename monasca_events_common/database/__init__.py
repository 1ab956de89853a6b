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

"""The SQL database: tenants' definitions and what the engine must remember.

One database serves the API, the engine and the persister, because the
engine's state, its outbox and its positions change in one transaction, and
because the API shows what the engine found. SQLite for one machine, MariaDB,
MySQL or PostgreSQL beyond it; SQLAlchemy makes them one.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import logging
import threading

from oslo_config import cfg
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite
from sqlalchemy import exc

from monasca_events_common import sqlite_file
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Unavailable
from monasca_events_common.health import Health

LOG = logging.getLogger(__name__)

GROUP = "database"

OPTS = [
    cfg.StrOpt("connection", default="sqlite:///monasca-events.db",
               secret=True,
               help="SQLAlchemy URL of the database that keeps tenants' "
                    "definitions and the engine's state, such as "
                    "mysql+pymysql://user:password@host/monasca_events. The "
                    "API, the engine and the persister name the same one."),
    cfg.BoolOpt("auto_upgrade",
                help="Whether a service brings the tables up to date when it "
                     "starts. Unless set, only for SQLite; otherwise "
                     "monasca-events-db upgrade does it."),
    cfg.IntOpt("max_pool_size", default=10, min=1,
               help="Connections that one process keeps at most."),
]

#: The version of this release's tables: the last step in migrations/versions.
NEWEST = "0002"

# Alembic's own table: it names the version in its only row.
_VERSION = sa.table("alembic_version", sa.column("version_num"))

#: Seconds that a writer of an SQLite file waits for another one.
_BUSY = 5.0

#: Seconds for which a server may stay silent. Without a limit one that hangs
#: would hold a thread for ever.
SILENCE = 30


def _limits(driver: str, silence: int) -> dict:
    """Return the arguments by which a driver gives up on a silent server."""
    if driver == "pymysql":
        return {"connect_timeout": 5, "read_timeout": silence,
                "write_timeout": silence}
    return {"connect_timeout": 5} if driver == "psycopg" else {}


class Database:
    """A connection pool and its transactions. Safe for several threads."""

    def __init__(self, connection: str, max_pool_size: int = 10,
                 silence: int = SILENCE) -> None:
        """:param connection: SQLAlchemy URL
        :param silence: seconds for which MariaDB or MySQL may say nothing
        :raises Misconfigured: it is none, or its driver is not installed
        """
        try:
            url = sa.make_url(connection)
            if url.get_backend_name() == "sqlite":
                options = {"connect_args": {"timeout": _BUSY},
                           "poolclass": sa.pool.QueuePool}
            else:
                options = {"pool_pre_ping": True, "pool_recycle": 3600,
                           "connect_args": _limits(
                               url.get_driver_name(), silence)}
            self.engine = sa.create_engine(
                url, pool_size=max_pool_size, max_overflow=max_pool_size,
                pool_timeout=_BUSY, **options)
        except (exc.ArgumentError, ImportError, ValueError) as error:
            # Never the URL itself: it may hold a password.
            raise Misconfigured(f"[{GROUP}] connection: {error}") from None
        self.dialect = self.engine.dialect.name
        # What is to be done before the tables can be used, if anything.
        self._preparation: Callable[[], None] | None = None
        self._is_away = False
        self._trial = threading.Lock()
        if self.dialect == "sqlite":
            self._tune_sqlite(url)

    def _tune_sqlite(self, url: sa.URL) -> None:
        path = url.database

        @sa.event.listens_for(self.engine, "do_connect")
        def make_file(_dialect, _record, _args, _options):
            try:
                sqlite_file.make_private(path)
            except OSError as error:
                raise Unavailable(
                    f"the database {path} cannot be opened: "
                    f"{error.strerror}", code="database_unavailable"
                ) from error

        @sa.event.listens_for(self.engine, "connect")
        def tune(connection, _record):
            # pysqlite would begin late and deferred, and two of those
            # deadlock; we begin ourselves, see below.
            connection.isolation_level = None
            sqlite_file.use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")

        @sa.event.listens_for(self.engine, "begin")
        def begin(connection):
            if connection.get_execution_options().get("writes"):
                connection.exec_driver_sql("BEGIN IMMEDIATE")

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction that is durable once the block is left.

        :raises Conflict: something in it is there already
        :raises Unavailable: the database cannot answer, or another
            transaction was in the way; nothing has changed
        """
        with _translated():
            with self._connect().execution_options(
                    writes=True) as connection, connection.begin():
                yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a connection for reading; each statement sees the newest.

        :raises Unavailable: the database cannot answer
        """
        with _translated():
            with self._connect() as connection:
                if self.dialect != "sqlite":
                    connection = connection.execution_options(
                        isolation_level="AUTOCOMMIT")
                yield connection

    def _connect(self) -> sa.Connection:
        """Return a connection of the pool.

        Each attempt to reach a server that hangs holds a thread until it
        times out. Were all held, a service could do nothing else either; so
        while the server is away one call at a time tries.
        """
        is_trial = self._is_away
        if is_trial and not self._trial.acquire(blocking=False):
            raise Unavailable(
                "the database is away; another call is finding out whether "
                "it is back", code="database_unavailable")
        try:
            self._prepare()
            connection = self.engine.connect()
            self._is_away = False
            return connection
        except (exc.DBAPIError, Unavailable):
            self._is_away = True
            raise
        finally:
            if is_trial:
                self._trial.release()

    def prepare_later(self, preparation: Callable[[], None]) -> None:
        """Have the first call that reaches the database do this before.

        :param preparation: ``upgrade`` or ``check``
        """
        self._preparation = preparation
        self._is_away = True

    def _prepare(self) -> None:
        if self._preparation is not None:
            try:
                self._preparation()
            except Misconfigured as error:
                LOG.error("the database is of no use: %s", error)
                raise Unavailable(str(error), code="database_unavailable"
                                  ) from error
            self._preparation = None

    def upsert(self, table: sa.Table, columns: Sequence[str]) -> sa.Insert:
        """Return a statement that inserts rows or sets these columns."""
        if self.dialect in ("mysql", "mariadb"):
            statement = mysql.insert(table)
            return statement.on_duplicate_key_update(
                {name: statement.inserted[name] for name in columns})
        insert = postgresql.insert if self.dialect == "postgresql" \
            else sqlite.insert
        statement = insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: statement.excluded[name] for name in columns})

    def health(self) -> Health:
        """Return quickly what is known of it; never raise."""
        try:
            with self.read() as connection:
                connection.execute(sa.text("SELECT 1"))
        except Unavailable as error:
            return Health(False, str(error))
        return Health(True)

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()

    # -- versions of the tables ----------------------------------------------

    def version(self) -> str | None:
        """Return which migration the tables are at; None where none are."""
        with _translated(), self.engine.connect() as connection:
            if not sa.inspect(connection).has_table(_VERSION.name):
                return None
            return connection.scalar(sa.select(_VERSION.c.version_num))

    def upgrade(self) -> None:
        """Bring the tables up to date; may be called twice and at once.

        :raises Unavailable: the database cannot answer
        :raises Misconfigured: its tables are of a newer release
        """
        found = self.version()
        if found == NEWEST:
            return
        from monasca_events_common.database import upgrading
        self._check_known(found)
        with _translated():
            with self.engine.connect().execution_options(
                    writes=True) as connection, connection.begin():
                upgrading.upgrade(connection)

    def check(self) -> None:
        """Return when the tables are those of this release.

        :raises Misconfigured: they are not; the message says what to do
        """
        found = self.version()
        if found != NEWEST:
            self._check_known(found)
            raise Misconfigured(
                f"the database is at version {found or 'none'}, this release "
                f"needs {NEWEST}; run monasca-events-db upgrade")

    def _check_known(self, found: str | None) -> None:
        from monasca_events_common.database import upgrading
        if found is not None and found not in upgrading.known():
            raise Misconfigured(
                f"the database is at version {found}, which this release "
                f"does not know; it knows up to {NEWEST}: the tables were "
                "made by a newer release")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise Conflict("another transaction was first: "
                       f"{type(error.orig).__name__}",
                       code="database_conflict") from error
    except (exc.DBAPIError, exc.TimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        raise Unavailable(
            f"the database cannot answer: {type(cause).__name__}: "
            f"{_first_line(cause)}", code="database_unavailable") from error


def _first_line(error: BaseException) -> str:
    # Drivers put the statement and its values on the lines after it.
    return str(error).splitlines()[0][:200] if str(error) else "no reason"


def get_database(conf: cfg.ConfigOpts, *, patient: bool = False,
                 silence: int = SILENCE) -> Database:
    """Return the database that ``[database]`` describes, its tables ready.

    :param silence: as in Database
    :param patient: return also while it does not answer; then the first call
        that reaches it makes the tables ready, and until then every call
        raises Unavailable
    :raises Misconfigured: it cannot be, or its tables are not up to date
    :raises Unavailable: it does not answer now
    """
    conf.register_opts(OPTS, group=GROUP)
    group = conf[GROUP]
    found = Database(group.connection, group.max_pool_size, silence)
    wanted = group.auto_upgrade
    is_upgraded = wanted or wanted is None and found.dialect == "sqlite"
    prepare = found.upgrade if is_upgraded else found.check
    try:
        prepare()
    except Unavailable as error:
        if not patient:
            raise
        LOG.warning("starting without the database: %s", error)
        found.prepare_later(prepare)
    return found
