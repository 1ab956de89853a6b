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

"""``monasca-events-alarms``: orphaned alarms, and alarms made again."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
import functools
import json
import os
import sys
import time

from oslo_config import cfg
import orjson
import sqlalchemy as sa

from monasca_events_common import command_line
from monasca_events_common import config
from monasca_events_common import plugins
from monasca_events_common import printable
from monasca_events_common.bus import get_bus
from monasca_events_common.database import Database
from monasca_events_common.database import get_database
from monasca_events_common.database.tables import DELIVERIES
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.store import get_store
from monasca_events_engine import options
from monasca_events_engine.account import Accounts
from monasca_events_engine.actions import Parts
from monasca_events_engine.alarms import orphans
from monasca_events_engine.alarms import removal
from monasca_events_engine.alarms.orphans import NovaDeletions
from monasca_events_engine.alarms.orphans import Orphan
from monasca_events_engine.alarms.orphans import StoredDeletions

PROG = "monasca-events-alarms"

DESCRIPTION = """Find alarms that watch instances which were deleted while
nothing listened, remove them, and make removed alarms again from their
record. Services and credentials are those of the engine's configuration."""

EPILOG = f"""Examples:
  {PROG} reconcile
  {PROG} reconcile --project 4b9fd1cbd2a34a0c8bd1d8eb0f3de0f0 --nova
  {PROG} reconcile --delete
  {PROG} restore 0c1d6a52-7f8b-5c68-9d0e-52d5a3a8d1c4
  {PROG} restore firing.json

Exit status: 0 done; 1 something could not be done.
"""

#: Seconds between two lines that tell how far it has come.
_TELL = 2.0


def start(argv: Sequence[str]) -> int:
    """Do what the command line says; return the exit status."""
    given = _parse(argv)
    conf = config.load(command_line.config_arguments(given), PROG,
                       options.groups())
    try:
        return _VERBS[given.verb](given, conf)
    except Misconfigured:
        raise
    except EventsError as error:
        raise Misconfigured(printable.escape(str(error))) from error


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = command_line.Parser(PROG, description=DESCRIPTION,
                                 epilog=EPILOG)
    command_line.add_config(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True,
                                  title="verbs")
    text = "show alarms that watch instances which are gone"
    one = verbs.add_parser("reconcile", help=text, description=text)
    one.add_argument("--project", action="append", metavar="ID",
                     help="only this project's alarms; may be repeated "
                     "(default: all; Monasca needs them named)")
    one.add_argument("--nova", action="store_true",
                     help="ask nova which instances there are, and not only "
                     "the stored events which were deleted")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true",
                     help="only show them (this is the default)")
    how.add_argument("--delete", action="store_true",
                     help="remove them, with a record as of any removal")
    one.add_argument("--json", action="store_true",
                     help="one object a line instead of a table")
    text = "make removed alarms again"
    one = verbs.add_parser("restore", help=text, description=text)
    one.add_argument("record", metavar="FILE|FIRING_ID",
                     help="the firing with whose deliveries the record is "
                     "kept, or a file with what the API shows of it")
    return parser.parse_args(argv)


def _parts(conf: cfg.ConfigOpts, database: Database | None = None, bus=None
           ) -> Parts:
    return Parts(database, bus, conf.bus.topic, tuple,
                 options=functools.partial(plugins.options, conf),
                 accounts=Accounts(conf))


def _reconcile(given: argparse.Namespace, conf: cfg.ConfigOpts) -> int:
    parts = _parts(conf)
    group = parts.options(removal.DeleteAlarms)
    services = removal.get_services(group, parts.options, parts.accounts)
    store = get_store(conf)
    try:
        found = orphans.find(services, given.project or [None],
                             _evidence(given, conf, store, parts),
                             _Progress())
        if given.delete:
            return _delete(conf, found, services)
        count = _show(found, given.json)
    finally:
        store.close()
    print(f"{count} alarms watch instances that are gone"
          + ("; --delete removes them" if count else ""), file=sys.stderr)
    return 0


def _evidence(given, conf, store, parts) -> orphans.Evidence:
    stored = StoredDeletions(store)
    if not given.nova:
        return stored
    conf.register_opts(orphans.NOVA_OPTS, group=orphans.NOVA_GROUP)
    found = NovaDeletions(parts.accounts.service(
        conf[orphans.NOVA_GROUP], "nova"), stored)
    found.check()
    return found


class _Progress:
    """Tells how far it has come, when it takes long."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, looked: int, found: int) -> None:
        if time.monotonic() - self._told_at >= _TELL:
            self._told_at = time.monotonic()
            print(f"{looked} alarms looked at, {found} of instances that are "
                  "gone", file=sys.stderr)


def _show(found: Iterable[Orphan], as_json: bool) -> int:
    row = "{:<10}  {:<36}  {:<32}  {:<36}  {}  ({})"
    count = 0
    for one in found:
        if as_json:
            print(json.dumps({
                "service": one.alarm.service, "alarm_id": one.alarm.id,
                "name": one.alarm.name, "kind": one.alarm.kind,
                "project_id": one.alarm.project_id,
                "instance_id": one.instance_id, "why": one.why}))
        else:
            if not count:
                print(row.format("SERVICE", "ALARM", "PROJECT", "INSTANCE",
                                 "NAME", "WHY"))
            print(printable.escape(row.format(
                one.alarm.service, one.alarm.id, one.alarm.project_id,
                one.instance_id, one.alarm.name, one.why)))
        count += 1
    return count


def _delete(conf: cfg.ConfigOpts, found: Iterable[Orphan], services) -> int:
    database, bus = get_database(conf), get_bus(conf)
    try:
        action = removal.DeleteAlarms(
            conf[removal.GROUP], _parts(conf, database, bus), services)
        remover = orphans.Remover(database, conf.engine, action)
        removed = failed = 0
        # By instance, for that is what a record is of; listing is over
        # before anything goes.
        for project_id, instance_id, why, event_id in dict.fromkeys(
                (one.alarm.project_id, one.instance_id, one.why,
                 one.event_id) for one in found):
            try:
                firing_id, result = remover.remove(project_id, instance_id,
                                                   why, event_id)
            except EventsError as error:
                failed += 1
                print(printable.escape(f"{instance_id}: {error}"),
                      file=sys.stderr)
                continue
            states = [one["state"] for one in result["alarms"]]
            removed += states.count(removal.REMOVED)
            print(f"{instance_id} of project {project_id}: "
                  f"{states.count(removal.REMOVED)} of {len(states)} alarms "
                  f"removed, firing {firing_id}"
                  + (" (dry_run is set)" if result["dry_run"] else ""))
        print(f"{removed} alarms removed"
              + (f", {failed} instances failed" if failed else ""),
              file=sys.stderr)
        return 1 if failed else 0
    finally:
        bus.close()
        database.close()


def _restore(given: argparse.Namespace, conf: cfg.ConfigOpts) -> int:
    parts = _parts(conf)
    group = parts.options(removal.DeleteAlarms)
    services = {one.name: one for one in removal.get_services(
        group, parts.options, parts.accounts)}
    failed = 0
    for entry in _entries(given.record, conf):
        if entry.get("state") != removal.REMOVED:
            continue
        alarm = removal.from_record(entry)
        shown = f"{alarm.service} {alarm.id} {alarm.name}"
        try:
            if alarm.service not in services:
                raise Rejected(f"{alarm.service} is not among [alarm_removal]"
                               " services")
            made = services[alarm.service].restore(alarm)
        except EventsError as error:
            failed += 1
            print(printable.escape(f"{shown}: {error}"), file=sys.stderr)
        else:
            print(printable.escape(
                f"{shown}: " + ("is there already" if made is None
                                else f"made again as {made}")))
    return 1 if failed else 0


def _entries(record: str, conf: cfg.ConfigOpts) -> list[Mapping]:
    """Return the entries of a record, from a file or the database.

    :raises Misconfigured: there is none
    """
    if os.path.exists(record):
        try:
            with open(record, encoding="utf-8") as file:
                found = list(_records(json.load(file)))
        except (OSError, ValueError) as error:
            raise Misconfigured(f"{record} cannot be read: {error}") from error
    else:
        database = get_database(conf)
        try:
            with database.read() as connection:
                found = [orjson.loads(one) for one in connection.scalars(
                    sa.select(DELIVERIES.c.result).where(
                        DELIVERIES.c.firing_id == record,
                        DELIVERIES.c.result.is_not(None)))]
        finally:
            database.close()
    entries = [entry for one in found if isinstance(one, Mapping)
               for entry in one.get("alarms", ())]
    if not entries:
        raise Misconfigured(f"{record} holds no record of removed alarms")
    return entries


def _records(shown) -> Iterator[Mapping]:
    """Yield the records in what the API shows: a firing, a delivery, or one.
    """
    if isinstance(shown, list):
        for one in shown:
            yield from _records(one)
    elif isinstance(shown, Mapping):
        if "alarms" in shown:
            yield shown
        for name in ("result", "deliveries", "firings"):
            yield from _records(shown.get(name))


_VERBS = {"reconcile": _reconcile, "restore": _restore}


def main() -> int:
    """Console script."""
    return config.run(start)
