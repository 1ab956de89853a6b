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

"""Consumer groups of the SQLite log: members, leases, positions.

The members of a group share the partitions by leases in the file. There is no
leader: each member renews its own lease, gives up what exceeds its fair share
and claims what is nobody's; each of these steps is one transaction, opened by
the writer. A commit checks the owner in its own transaction, so that a member
which lost a partition without noticing cannot move its position.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import sqlite3

from monasca_events_common.bus import Group
from monasca_events_common.bus import Member


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What a member has after balancing.

    :ivar owned: its partitions with the group's positions
    :ivar excess: those among them that it should give up
    :ivar evicted: it had lost its membership meanwhile, so that nothing it
        held before can be relied on
    """

    owned: Mapping[int, int]
    excess: Sequence[int]
    evicted: bool


def join(db: sqlite3.Connection, topic: int, name: str) -> int:
    """Return the group's number; a new group stands at the oldest records."""
    row = db.execute("SELECT id FROM groups WHERE topic = ? AND name = ?",
                     (topic, name)).fetchone()
    if row:
        return row[0]
    group = db.execute(
        "INSERT INTO groups (topic, name, changes) VALUES (?, ?, 0)",
        (topic, name)).lastrowid
    db.execute("INSERT INTO positions SELECT ?, partition, oldest, NULL"
               " FROM partitions WHERE topic = ?", (group, topic))
    return group


def balance(db: sqlite3.Connection, group: int, member: str, now: float,
            lease: float) -> Share:
    """Renew the member's lease and claim what is free for it.

    :param now: of a clock that all processes of this machine share and that
        nobody sets
    :param lease: seconds for which the member lives without renewing
    """
    # A time in the future is of before the machine's last start.
    gone = [row[0] for row in db.execute(
        "SELECT member FROM members WHERE grp = ? AND member != ?"
        " AND NOT (renewed <= ? AND ? < renewed + lease)",
        (group, member, now, now))]
    for other in gone:
        leave(db, group, other)
    evicted = not db.execute(
        "UPDATE members SET renewed = ?, lease = ?"
        " WHERE grp = ? AND member = ?",
        (now, lease, group, member)).rowcount
    if evicted:
        db.execute("INSERT INTO members VALUES (?, ?, ?, ?)",
                   (group, member, now, lease))
        _changed(db, group)
    owned: dict[str | None, list[int]] = {
        row[0]: [] for row in db.execute(
            "SELECT member FROM members WHERE grp = ?", (group,))}
    positions = {}
    for partition, position, owner in db.execute(
            "SELECT partition, next, owner FROM positions WHERE grp = ?"
            " ORDER BY partition", (group,)):
        owned.setdefault(owner, []).append(partition)
        positions[partition] = position
    free = owned.pop(None, [])
    mine = owned[member]
    share = fair_share({name: len(held) for name, held in owned.items()},
                       len(positions))[member]
    claimed = free[:max(0, share - len(mine))]
    db.executemany("UPDATE positions SET owner = ?"
                   " WHERE grp = ? AND partition = ?",
                   [(member, group, partition) for partition in claimed])
    return Share({partition: positions[partition]
                  for partition in mine + claimed}, mine[share:], evicted)


def fair_share(held: Mapping[str, int], partitions: int) -> dict[str, int]:
    """Return how many partitions each member should have.

    Those who hold most get the remainder, so that the least moves.
    """
    each, rest = divmod(partitions, len(held))
    order = sorted(held, key=lambda member: (-held[member], member))
    return {member: each + (place < rest)
            for place, member in enumerate(order)}


def release(db: sqlite3.Connection, group: int, member: str,
            partitions: Sequence[int]) -> None:
    """Give up these partitions, where they are still the member's."""
    db.executemany(
        "UPDATE positions SET owner = NULL"
        " WHERE grp = ? AND partition = ? AND owner = ?",
        [(group, partition, member) for partition in partitions])
    _changed(db, group)


def leave(db: sqlite3.Connection, group: int, member: str) -> None:
    """End the membership and give up all its partitions."""
    db.execute("UPDATE positions SET owner = NULL WHERE grp = ? AND owner = ?",
               (group, member))
    db.execute("DELETE FROM members WHERE grp = ? AND member = ?",
               (group, member))
    _changed(db, group)


def commit(db: sqlite3.Connection, group: int, member: str,
           positions: Mapping[int, int]) -> list[int]:
    """Set the group's positions; return the partitions that are another's."""
    return [partition for partition, position in positions.items()
            if not db.execute(
                "UPDATE positions SET next = ?"
                " WHERE grp = ? AND partition = ? AND owner = ?",
                (position, group, partition, member)).rowcount]


def describe(db: sqlite3.Connection, topic: int, name: str, now: float,
             host: str) -> Group:
    """Return how a group stands.

    :param now: of the clock that leases are measured with
    :param host: the machine's name: members of others there are none
    """
    rows = db.execute(
        "SELECT p.partition, p.oldest, p.next, c.next, c.owner"
        " FROM partitions p LEFT JOIN groups g"
        " ON g.topic = p.topic AND g.name = ?"
        " LEFT JOIN positions c ON c.grp = g.id AND c.partition = p.partition"
        " WHERE p.topic = ? ORDER BY p.partition", (name, topic)).fetchall()
    members = [row[0] for row in db.execute(
        "SELECT m.member FROM members m JOIN groups g ON g.id = m.grp"
        " WHERE g.topic = ? AND g.name = ? AND m.renewed <= ?"
        " AND ? < m.renewed + m.lease ORDER BY m.member",
        (topic, name, now, now))]
    return Group(
        name, [Member(one, host, [row[0] for row in rows if row[4] == one])
               for one in members],
        {partition: following - max(
            oldest, oldest if position is None else position)
         for partition, oldest, following, position, _ in rows})


def forget(db: sqlite3.Connection, topic: int, name: str) -> None:
    """Remove the group with its positions; its members will notice."""
    for group, in db.execute(
            "SELECT id FROM groups WHERE topic = ? AND name = ?",
            (topic, name)).fetchall():
        db.execute("DELETE FROM members WHERE grp = ?", (group,))
        db.execute("DELETE FROM positions WHERE grp = ?", (group,))
        db.execute("DELETE FROM groups WHERE id = ?", (group,))


def changes(db: sqlite3.Connection, group: int) -> int | None:
    """Return a number that grows when members or their partitions change.

    None where there is no such group any more.
    """
    row = db.execute("SELECT changes FROM groups WHERE id = ?",
                     (group,)).fetchone()
    return row[0] if row else None


def _changed(db: sqlite3.Connection, group: int) -> None:
    db.execute("UPDATE groups SET changes = changes + 1 WHERE id = ?",
               (group,))
