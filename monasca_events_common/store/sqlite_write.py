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

"""The SQLite store's statements that change the file.

One Writer belongs to one connection; the SQLite store calls it within a
transaction and says when that was committed, so that what the writer
remembers of the file is never ahead of it.
"""

from collections.abc import Sequence
import sqlite3

from monasca_events_common.store.sqlite_rows import COLUMNS
from monasca_events_common.store.sqlite_rows import project_term
from monasca_events_common.store.sqlite_rows import Row
from monasca_events_common.store.sqlite_schema import Periods
from monasca_events_common.store.sqlite_schema import SLOTS

# Only names of our own columns and numbers of our own tables are put into
# statements here (hence S608); values are bound.

# What is remembered at most before it is forgotten and read again.
_REMEMBERED = 100_000

_INSERT = (
    "INSERT OR IGNORE INTO events "  # noqa: S608
    "(id, project, event_id, time, "
    f"{', '.join(COLUMNS)}, traits, dimensions, value) "
    f"VALUES ({', '.join('?' * (len(COLUMNS) + 7))})")


class Writer:
    """Writes rows and search terms, removes rows and empty periods."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._projects: dict[str, int] = {}
        # Which traits were seen together: far fewer than there are events.
        self._traits: set[tuple] = set()
        # Where to look for a free row id in a microsecond that is crowded.
        self._crowded: dict[int, int] = {}
        self._new_projects: dict[str, int] = {}
        self._new_traits: set[tuple] = set()

    def begin(self) -> None:
        """Forget what a transaction that was rolled back had learnt."""
        self._new_projects = {}
        self._new_traits = set()

    def committed(self) -> None:
        """Remember what this transaction learnt."""
        self._projects.update(self._new_projects)
        self._traits |= self._new_traits
        for memory in (self._projects, self._traits, self._crowded):
            if len(memory) > _REMEMBERED:
                memory.clear()

    def insert(self, rows: Sequence[Row], known: Periods) -> int:
        """Insert what is not there yet; return how many rows that were."""
        numbered = self._insert_all(rows) or self._insert_each(rows)
        terms: dict[int, list[tuple[int, str]]] = {}
        traits: set[tuple] = set()
        for number, project, row in numbered:
            period = known.ensure(number)[2]
            terms.setdefault(period, []).append(
                (number, f"{project_term(project)} {row.terms}"))
            traits.add((project, row.event_type, period, row.traits))
        for period, entries in terms.items():
            # FTS5 writes out what it gathered whenever ids go backwards.
            entries.sort()
            self.connection.executemany(
                f"INSERT INTO terms_{period:d} (rowid, terms) "  # noqa: S608
                "VALUES (?, ?)", entries)
        self._new_traits = traits - self._traits
        self.connection.executemany(
            "INSERT OR IGNORE INTO trait_types VALUES (?, ?, ?, ?)",
            [(project, event_type, trait, period)
             for project, event_type, period, together in self._new_traits
             for trait in together])
        return len(numbered)

    def _insert_all(self, rows: Sequence[Row]) -> list[tuple] | None:
        """Insert all rows, or none if one is a repeat or finds its id taken.

        One call for the whole batch: the usual case, in half the time.
        """
        numbered = [(row.id, self._project(row.project_id), row)
                    for row in rows]
        self.connection.execute("SAVEPOINT batch")
        before = self.connection.total_changes
        self.connection.executemany(
            _INSERT, [(number, project, *row.columns)
                      for number, project, row in numbered])
        if self.connection.total_changes - before < len(rows):
            self.connection.execute("ROLLBACK TO batch")
            numbered = None
        self.connection.execute("RELEASE batch")
        return numbered

    def _insert_each(self, rows: Sequence[Row]) -> list[tuple]:
        numbered = []
        execute = self.connection.cursor().execute
        for row in rows:
            project = self._project(row.project_id)
            number = row.id
            if not execute(_INSERT, (number, project, *row.columns)).rowcount:
                if self._is_repeat(project, row):
                    continue
                number = self._free(row)
                execute(_INSERT, (number, project, *row.columns))
            numbered.append((number, project, row))
        return numbered

    def remove(self, project: int | None, every: bool, before: int,
               spill: int, limit: int) -> int:
        """Remove up to ``limit`` rows from before a time; return how many.

        :param before: microseconds since the epoch
        """
        return self.connection.execute(
            "DELETE FROM events WHERE id IN "  # noqa: S608
            "(SELECT id FROM events "
            f"WHERE {'?' if every else 'project = ?'} AND id < ? AND time < ? "
            "ORDER BY id LIMIT ?)",
            (1 if every else project, (before + spill) * SLOTS, before,
             limit)).rowcount

    def tidy(self, known: Periods, project: int | None, every: bool,
             before: int) -> None:
        """Drop periods without events, and traits of periods gone by.

        :param before: row id; only what lies wholly before it is looked at
        """
        for first, past, number in known:
            if past > before:
                continue
            if self.connection.execute(
                    "SELECT 1 FROM events WHERE id >= ? AND id < ? LIMIT 1",
                    (first, past)).fetchone() is None:
                known.drop(number)
            elif not every:
                self.connection.execute(
                    "DELETE FROM trait_types WHERE period = ? "
                    "AND project = ?", (number, project))
        self._traits.clear()

    def _project(self, project_id: str) -> int:
        project = self._projects.get(project_id) \
            or self._new_projects.get(project_id)
        if project is None:
            self.connection.execute(
                "INSERT OR IGNORE INTO projects (project_id) VALUES (?)",
                (project_id,))
            project, = self.connection.execute(
                "SELECT project FROM projects WHERE project_id = ?",
                (project_id,)).fetchone()
            self._new_projects[project_id] = project
        return project

    def _is_repeat(self, project: int, row: Row) -> bool:
        return self.connection.execute(
            "SELECT 1 FROM events WHERE event_id = ? AND project = ?",
            (row.columns[0], project)).fetchone() is not None

    def _free(self, row: Row) -> int:
        """Return a row id that is free, at or soon after the row's time."""
        time = row.columns[1]
        number = self._crowded.get(time, time * SLOTS)
        while self.connection.execute("SELECT 1 FROM events WHERE id = ?",
                                      (number,)).fetchone():
            number += 1
        self._crowded[time] = number + 1
        self.connection.execute(
            "UPDATE spill SET microseconds = max(microseconds, ?)",
            (number // SLOTS - time,))
        return number
