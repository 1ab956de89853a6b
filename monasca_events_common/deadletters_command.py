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

from collections.abc import Callable, Sequence
import json
import sys

from oslo_config import cfg

from monasca_events_common import config
from monasca_events_common import plugins
from monasca_events_common.deadletters import DeadLetter
from monasca_events_common.deadletters import DeadLetters
from monasca_events_common.deadletters import get_dead_letters
from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Misconfigured

#: Namespace of what replays a stage's letters: a class taking the
#: configuration, with ``replay(letter)`` and ``close()``.
NAMESPACE = "monasca_events.replayers"

DESCRIPTION = """Look at what could not be delivered, and deliver or forget
it. Letters keep the raw bytes, the stage that gave up, the reason and the
position."""

EPILOG = """Examples:
  monasca-events-dead-letters list --stage persister --code forged_record
  monasca-events-dead-letters show 17
  monasca-events-dead-letters replay 17 18        (or: replay --all)
  monasca-events-dead-letters purge --stage agent --all
  monasca-events-dead-letters resume persister    (after the breaker tripped)
"""

_PAGE = 500


def _parsers(subparsers) -> None:
    one = subparsers.add_parser("list", help="a line each")
    _filters(one)
    one.add_argument("--limit", type=int, default=100,
                     help="letters shown at most (default 100)")
    one.add_argument("--json", action="store_true", help="NDJSON")
    one = subparsers.add_parser("show", help="everything of some letters")
    one.add_argument("ids", type=int, nargs="+", metavar="ID")
    for name, text in (("replay", "send letters again, then forget them"),
                       ("purge", "forget letters")):
        one = subparsers.add_parser(name, help=text)
        one.add_argument("ids", type=int, nargs="*", metavar="ID")
        one.add_argument("--all", action="store_true",
                         help="every letter that the filters leave")
        _filters(one)
    one = subparsers.add_parser("resume", help="let a stage go on whose "
                                               "breaker tripped")
    one.add_argument("stage")


def _filters(parser) -> None:
    parser.add_argument("--stage", help="agent, persister, …")
    parser.add_argument("--project-id", help="letters of one project")
    parser.add_argument("--code", help="letters with one reason code")


_CLI = [cfg.SubCommandOpt("action", title="actions", handler=_parsers,
                          help="what to do")]


def start(argv: Sequence[str]) -> int:
    """Carry out one action; return the exit status."""
    conf = config.load(argv, "monasca-events-dead-letters", cli=_CLI,
                       description=DESCRIPTION, epilog=EPILOG)
    if not conf.action.name:
        raise Misconfigured("say what to do: list, show, replay, purge or "
                            "resume (--help tells more)")
    letters = get_dead_letters(conf)
    try:
        return _ACTIONS[conf.action.name](conf, letters)
    except EventsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        letters.close()


def _chosen(conf, letters: DeadLetters) -> list[int]:
    """Return the ids that the command line names, or all that it filters."""
    action = conf.action
    if action.ids:
        return action.ids
    if not action.all:
        raise Misconfigured("name letters by id, or say --all")
    ids: list[int] = []
    while True:
        page = letters.list(stage=action.stage, project_id=action.project_id,
                            code=action.code, after=ids[-1] if ids else 0,
                            limit=_PAGE)
        if not page:
            return ids
        ids.extend(one.id for one in page)


def _list(conf, letters: DeadLetters) -> int:
    action = conf.action
    found = letters.list(stage=action.stage, project_id=action.project_id,
                         code=action.code, limit=action.limit + 1)
    for one in found[:action.limit]:
        if action.json:
            print(json.dumps(_plain(one)))
        else:
            print(f"{one.id:>6}  {one.last_at}  {one.stage:<10} "
                  f"{one.code:<24} {one.position}  {_safe(one.reason)[:100]}")
    if not action.json:
        total = sum(letters.count().values())
        more = len(found) > action.limit
        print(f"{min(len(found), action.limit)} shown"
              f"{', more match (--limit)' if more else ''}; "
              f"{total} letters in all", file=sys.stderr)
    return 0


def _show(conf, letters: DeadLetters) -> int:
    for number in conf.action.ids:
        print(json.dumps(_plain(letters.get(number)), indent=2))
    return 0


def _plain(letter: DeadLetter) -> dict:
    """Return the letter as JSON can hold it; odd bytes are escaped."""
    return {"id": letter.id, "stage": letter.stage,
            "project_id": letter.project_id, "code": letter.code,
            "reason": letter.reason, "error": letter.error,
            "position": letter.position, "first_at": letter.first_at,
            "last_at": letter.last_at, "attempts": letter.attempts,
            "headers": letter.headers,
            "raw": letter.raw.decode(errors="backslashreplace")}


def _safe(text: str) -> str:
    """Return text that cannot move a terminal's cursor or forge a line."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}"
                   for one in text)


def _replay(conf, letters: DeadLetters) -> int:
    replayers: dict[str, object] = {}
    failed = done = 0
    try:
        ids = _chosen(conf, letters)
        for place, number in enumerate(ids, 1):
            letter = letters.get(number)
            if letter.stage not in replayers:
                replayers[letter.stage] = plugins.load(
                    NAMESPACE, letter.stage)(conf)
            try:
                replayers[letter.stage].replay(letter)
            except EventsError as error:
                failed += 1
                print(f"{number}: {error}", file=sys.stderr)
                continue
            # Forget it after it was handed on: a crash between the two
            # replays it twice, which ids make harmless.
            letters.remove([number])
            done += 1
            _progress(place, len(ids))
    finally:
        for one in replayers.values():
            one.close()
    print(f"{done} replayed, {failed} failed")
    return 1 if failed else 0


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 100 == 0 or done == total):
        print(f"\r{done}/{total}", end="\n" if done == total else "",
              file=sys.stderr)


def _purge(conf, letters: DeadLetters) -> int:
    ids = _chosen(conf, letters)
    removed = sum(letters.remove(ids[at:at + _PAGE])
                  for at in range(0, len(ids), _PAGE))
    print(f"{removed} purged")
    return 0


def _resume(conf, letters: DeadLetters) -> int:
    if letters.resume(conf.action.stage):
        print(f"{conf.action.stage} goes on within a second")
        return 0
    print(f"{conf.action.stage} did not stand still", file=sys.stderr)
    return 1


_ACTIONS: dict[str, Callable[..., int]] = {
    "list": _list, "show": _show, "replay": _replay, "purge": _purge,
    "resume": _resume}


def main() -> int:
    """Console script."""
    return config.run(start)
