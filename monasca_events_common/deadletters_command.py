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


"""``monasca-events-dead-letters``: list, show, replay and purge them."""

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
import json
import os
import shutil
import sys
import textwrap

from oslo_config import cfg

from monasca_events_common import config
from monasca_events_common import deadletters_arguments as arguments
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.deadletters import get_dead_letters
from monasca_events_common.deadletters import plain
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Unavailable
from monasca_events_common.replayers import Replayers

_PAGE = 500


def start(argv: Sequence[str]) -> int:
    """Carry out one action; return the exit status: 0, 1 where something
    could not be done, 2 for a wrong command line."""
    given = arguments.parse(argv)
    conf = config.load(given.config, arguments.PROG)
    letters = get_dead_letters(conf)
    try:
        return _ACTIONS[given.action](given, conf, letters)
    except EventsError as error:
        _complain(f"error: {error}")
        return 1
    finally:
        letters.close()


def _complain(text: str) -> None:
    print(_safe(text), file=sys.stderr)


def _found(given: argparse.Namespace, letters: DeadLetters,
           most: int | None = None) -> Iterator[DeadLetter]:
    """Yield the letters that the filters leave, a page at a time."""
    after = seen = 0
    while most is None or seen < most:
        page = letters.list(
            stage=given.stage, project_id=given.project_id, code=given.code,
            after=after, limit=_PAGE if most is None
            else min(_PAGE, most - seen))
        if not page:
            return
        yield from page
        seen += len(page)
        after = page[-1].id


def _chosen(given: argparse.Namespace, letters: DeadLetters) -> list[int]:
    """Return the ids that the command line names, or all that it filters."""
    if given.ids:
        return list(dict.fromkeys(given.ids))
    return [one.id for one in _found(given, letters)]


def _list(given, conf: cfg.ConfigOpts, letters: DeadLetters) -> int:
    width = (shutil.get_terminal_size().columns if sys.stdout.isatty()
             else None)
    shown, more = 0, False
    for one in _found(given, letters, given.limit + 1):
        if shown == given.limit:
            more = True
            break
        shown += 1
        print(json.dumps(plain(one)) if given.json else _brief(one, width))
    if more or not given.json:
        # What was asked for goes first, also where both go to one terminal.
        sys.stdout.flush()
        _complain(f"{shown} shown{', more match (--limit)' if more else ''}; "
                  f"{sum(letters.count().values())} letters in all")
    return 0


def _brief(letter: DeadLetter, width: int | None) -> str:
    """Return a letter for a list: a line, or some that fit a terminal.

    :param width: the terminal's, or None where the reader is a program such
        as grep
    """
    head = f"{letter.id:>6}  {letter.last_at}  {letter.stage:<9}  "
    position, reason = _safe(letter.position), _safe(letter.reason)
    if width is None:
        return f"{head}{letter.code:<23}  {position}  {reason}"
    return "\n".join([f"{head}{letter.code}", *textwrap.wrap(
        f"{position}: {reason}", max(width - 1, 40), initial_indent=" " * 8,
        subsequent_indent=" " * 8, break_on_hyphens=False)])


def _show(given, conf: cfg.ConfigOpts, letters: DeadLetters) -> int:
    for number in given.ids:
        print(json.dumps(plain(letters.get(number)), indent=2))
    return 0


def _safe(text: str) -> str:
    """Return text that cannot move a terminal's cursor or forge a line."""
    return "".join(one if one.isprintable()
                   else one.encode("unicode_escape").decode() for one in text)


def _replay(given, conf: cfg.ConfigOpts, letters: DeadLetters) -> int:
    done = failed = 0
    ids = _chosen(given, letters)
    with contextlib.closing(Replayers(conf, letters)) as replayers:
        for number in ids:
            try:
                replayers.replay(number)
            except EventsError as error:
                failed += 1
                _complain(f"{number}: {error}")
                if isinstance(error, Unavailable):
                    # The next would wait as long and fail alike.
                    break
                continue
            done += 1
            _progress(done + failed, len(ids))
    rest = len(ids) - done - failed
    print(f"{done} replayed, {failed} failed"
          + (f", {rest} not tried" if rest else ""))
    return 1 if failed else 0


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 100 == 0 or done == total):
        print(f"\r{done}/{total}", end="\n" if done == total else "",
              file=sys.stderr)


def _purge(given, conf: cfg.ConfigOpts, letters: DeadLetters) -> int:
    ids = _chosen(given, letters)
    removed = sum(letters.remove(ids[at:at + _PAGE])
                  for at in range(0, len(ids), _PAGE))
    print(f"{removed} purged")
    if given.ids and removed < len(ids):
        _complain(f"{len(ids) - removed} of them did not exist")
        return 1
    return 0


def _resume(given, conf: cfg.ConfigOpts, letters: DeadLetters) -> int:
    if letters.resume(given.stage):
        print(f"{given.stage} goes on within a second")
        return 0
    _complain(f"{given.stage} did not stand still")
    return 1


_ACTIONS: dict[str, Callable[..., int]] = {
    "list": _list, "show": _show, "replay": _replay, "purge": _purge,
    "resume": _resume}


def main() -> int:
    """Console script."""
    # A letter may hold what the terminal's encoding does not know.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = config.run(start)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as head, has seen enough. Python would complain
        # once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status
