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

"""Dead letters: what can never go on, kept with the reason, for a person.

A stage puts here what it can neither pass on nor refuse to a sender any more:
raw bytes, stage, reason and position. An operator lists, shows, replays and
purges them with ``monasca-events-dead-letters`` or through the API. The table
lives in an SQL database (SQLAlchemy), a file by default.
"""

from collections.abc import Sequence
import contextlib
import dataclasses
import hashlib
import json
import os

from oslo_config import cfg
import sqlalchemy as sa
from sqlalchemy import exc

from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Unavailable
from monasca_events_common.sqlite_file import make_private
from monasca_events_common.sqlite_file import use_wal

GROUP = "dead_letters"

OPTS = [
    cfg.StrOpt("connection", default="sqlite:///dead-letters.db", secret=True,
               help="SQLAlchemy URL of the database that keeps dead letters "
                    "and the state of the breakers."),
    cfg.IntOpt("max_letters", default=1000000, min=1, mutable=True,
               help="Dead letters kept at most. When there are as many, the "
                    "stage waits instead of losing one, until letters are "
                    "replayed or purged."),
]

# MySQL's BLOB holds 64 kB, which is less than one event.
_BLOB = sa.LargeBinary(length=2 ** 24 - 1)
_META = sa.MetaData()
_LETTERS = sa.Table(
    "dead_letters", _META,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("stage", sa.String(32), nullable=False, index=True),
    sa.Column("project_id", sa.String(64), index=True),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("error", sa.String(128), nullable=False),
    sa.Column("position", sa.String(255), nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("raw", _BLOB, nullable=False),
    sa.Column("first_at", sa.String(32), nullable=False),
    sa.Column("last_at", sa.String(32), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    # A number that was purged must not come back as another letter.
    sqlite_autoincrement=True, mysql_charset="utf8mb4")
_BRIEF = (*(one for one in _LETTERS.c if one.name != "raw"),
          sa.literal(b"", _BLOB).label("raw"))
_BREAKERS = sa.Table(
    "breakers", _META,
    sa.Column("stage", sa.String(32), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("tripped_at", sa.String(32), nullable=False))


@dataclasses.dataclass(frozen=True, slots=True)
class DeadLetter:
    """One thing that cannot go on.

    :ivar stage: who gave up: ``agent``, ``persister``, …
    :ivar code: a stable word; ``reason``: a sentence without the payload
    :ivar error: class of the exception
    :ivar position: where it came from, such as ``monevents/3/1234`` (topic,
        partition, offset) or ``notification/<message id>``; the same position
        put twice is one letter
    :ivar project_id: whose it is, where known
    :ivar headers: text headers needed to replay it
    :ivar raw: the bytes as they came, secrets masked
    """

    stage: str
    code: str
    reason: str
    error: str
    position: str
    raw: bytes
    project_id: str | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    first_at: str = ""
    last_at: str = ""
    attempts: int = 1
    id: int | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(
            f"{self.stage}\n{self.position}\n".encode(errors="replace")
            + self.raw).hexdigest()


# SQLite, PostgreSQL and MySQL of a table, MySQL of an index.
_EXISTS = ("already exists", "Duplicate key name")


class DeadLetters:
    """The table of dead letters. Safe to use from several threads.

    Every call raises Unavailable when the database cannot answer.
    """

    def __init__(self, connection: str, max_letters: int = 1000000) -> None:
        """:param connection: SQLAlchemy URL
        :raises Misconfigured: it is none, or its driver is not installed
        """
        try:
            self._engine = sa.create_engine(connection, pool_pre_ping=True)
        except (exc.ArgumentError, ImportError) as error:
            # Never the URL itself: it may hold a password.
            raise Misconfigured(f"[{GROUP}] connection: {error}") from None
        self._max = max_letters
        self._ready = False
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _tune_sqlite)

    @contextlib.contextmanager
    def _begin(self):
        try:
            if not self._ready:
                self._make()
                self._ready = True
            with self._engine.begin() as connection:
                yield connection
        except exc.DBAPIError as error:
            raise Unavailable(
                f"the dead letters' database cannot answer: "
                f"{type(error.orig).__name__}",
                code="dead_letters_unavailable") from error

    def _make(self) -> None:
        """Make the file and the tables that are missing, beside others who
        may be doing the same.

        SQLAlchemy looks first and creates then; who is overtaken in between
        is told that a table or an index exists, and has to look again: at
        most once for each of them.
        """
        file = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and file \
                and os.path.isdir(os.path.dirname(file) or "."):
            with contextlib.suppress(OSError):  # SQLite says it better.
                make_private(file)
        for _ in range(sum(1 + len(table.indexes)
                           for table in _META.sorted_tables)):
            try:
                return _META.create_all(self._engine)
            except exc.DBAPIError as error:
                if not any(said in str(error.orig) for said in _EXISTS):
                    raise
        _META.create_all(self._engine)

    def put(self, letters: Sequence[DeadLetter], now: str) -> None:
        """Return once every letter is durable; a repeat counts an attempt.

        :param now: canonical timestamp
        :raises Unavailable: the database is down, or full of letters
        """
        with self._begin() as connection:
            count = connection.scalar(sa.select(sa.func.count(_LETTERS.c.id)))
            if count + len(letters) > self._max:
                raise Unavailable(
                    f"{count} dead letters are kept, {self._max} are allowed;"
                    " replay or purge some", code="dead_letters_full",
                    retry_after=30)
            for letter in letters:
                found = connection.execute(
                    sa.update(_LETTERS)
                    .where(_LETTERS.c.digest == letter.digest)
                    .values(last_at=now, code=letter.code,
                            reason=_storable(letter.reason, 2000),
                            attempts=_LETTERS.c.attempts + 1))
                if not found.rowcount:
                    connection.execute(_LETTERS.insert().values(
                        digest=letter.digest, stage=letter.stage,
                        project_id=letter.project_id, code=letter.code,
                        reason=_storable(letter.reason, 2000),
                        error=letter.error,
                        position=_storable(letter.position, 255),
                        raw=letter.raw, headers=json.dumps(letter.headers),
                        first_at=now, last_at=now, attempts=1))

    def list(self, *, stage: str | None = None, project_id: str | None = None,
             code: str | None = None, since: str | None = None,
             after: int = 0, limit: int = 100, whole: bool = True
             ) -> list[DeadLetter]:
        """Return letters by id, oldest first.

        :param since: canonical time; only those that came, or came again,
            since then
        :param after: only those with a greater id, for paging
        :param whole: false leaves ``raw`` empty, which may be large
        """
        query = sa.select(*_LETTERS.c if whole else _BRIEF).where(
            _LETTERS.c.id > after)
        for column, value in (("stage", stage), ("project_id", project_id),
                              ("code", code)):
            if value is not None:
                query = query.where(_LETTERS.c[column] == value)
        if since is not None:
            query = query.where(_LETTERS.c.last_at >= since)
        with self._begin() as connection:
            rows = connection.execute(
                query.order_by(_LETTERS.c.id).limit(limit)).mappings().all()
        return [_letter(row) for row in rows]

    def get(self, letter_id: int) -> DeadLetter:
        """Return one letter. Raises NotFound."""
        with self._begin() as connection:
            row = connection.execute(sa.select(_LETTERS).where(
                _LETTERS.c.id == letter_id)).mappings().first()
        if row is None:
            raise NotFound(f"there is no dead letter {letter_id}")
        return _letter(row)

    def count(self) -> dict[tuple[str, str], int]:
        """Return (stage, code) → number of letters."""
        with self._begin() as connection:
            rows = connection.execute(
                sa.select(_LETTERS.c.stage, _LETTERS.c.code,
                          sa.func.count()).group_by(_LETTERS.c.stage,
                                                    _LETTERS.c.code)).all()
        return {(stage, code): number for stage, code, number in rows}

    def remove(self, ids: Sequence[int]) -> int:
        """Forget letters; return how many there were."""
        with self._begin() as connection:
            return connection.execute(sa.delete(_LETTERS).where(
                _LETTERS.c.id.in_(list(ids)))).rowcount

    def trip(self, stage: str, reason: str, now: str) -> None:
        """Remember that a stage's breaker tripped, also over a restart."""
        with self._begin() as connection:
            connection.execute(sa.delete(_BREAKERS).where(
                _BREAKERS.c.stage == stage))
            connection.execute(_BREAKERS.insert().values(
                stage=stage, reason=reason, tripped_at=now))

    def tripped(self, stage: str) -> str | None:
        """Return why the stage stands still, or None when it may go on."""
        with self._begin() as connection:
            return connection.scalar(sa.select(_BREAKERS.c.reason).where(
                _BREAKERS.c.stage == stage))

    def breakers(self) -> dict[str, tuple[str, str]]:
        """Return stage → (why, since when), of those that stand still."""
        with self._begin() as connection:
            rows = connection.execute(sa.select(
                _BREAKERS.c.stage, _BREAKERS.c.reason,
                _BREAKERS.c.tripped_at).order_by(_BREAKERS.c.stage)).all()
        return {stage: (reason, at) for stage, reason, at in rows}

    def resume(self, stage: str) -> bool:
        """Let a tripped stage go on; return whether it stood still."""
        with self._begin() as connection:
            return connection.execute(sa.delete(_BREAKERS).where(
                _BREAKERS.c.stage == stage)).rowcount > 0

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()


def _tune_sqlite(connection, _record) -> None:
    use_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")


def _storable(text: str, length: int) -> str:
    """Return text that a database takes: a sender's id or a file's name may
    hold halves of a surrogate pair, which UTF-8 cannot say."""
    return text.encode(errors="backslashreplace").decode()[:length]


def plain(letter: DeadLetter) -> dict:
    """Return the letter as JSON can hold it; odd bytes are escaped."""
    return {"id": letter.id, "stage": letter.stage,
            "project_id": letter.project_id, "code": letter.code,
            "reason": letter.reason, "error": letter.error,
            "position": letter.position, "first_at": letter.first_at,
            "last_at": letter.last_at, "attempts": letter.attempts,
            "headers": letter.headers,
            "raw": letter.raw.decode(errors="backslashreplace")}


def _letter(row) -> DeadLetter:
    values = {field.name: row[field.name]
              for field in dataclasses.fields(DeadLetter)}
    values["headers"] = json.loads(values["headers"])
    return DeadLetter(**values)


def get_dead_letters(conf: cfg.ConfigOpts) -> DeadLetters:
    """Return the dead letters that ``[dead_letters]`` describes."""
    conf.register_opts(OPTS, group=GROUP)
    group = conf[GROUP]
    return DeadLetters(group.connection, group.max_letters)
