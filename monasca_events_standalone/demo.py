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

"""The demonstration: generated traffic in, events out, a search answered."""

from collections.abc import Mapping
import dataclasses
import json
import random
import shutil
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from monasca_events_standalone.layout import Layout

#: Notifications a second that the demonstration sends.
RATE = 5
#: Events shown before the search is shown.
BEFORE_SEARCH = 12


@dataclasses.dataclass(frozen=True)
class Cast:
    """Who takes part, from the API's tokens file.

    :ivar members: project name → (project id, token of its member)
    """

    members: Mapping[str, tuple[str, str]]
    service_token: str
    operator_project: str

    @classmethod
    def from_tokens(cls, content: Mapping) -> "Cast":
        """:param content: the tokens file's JSON"""
        accounts = {one["name"]: one for one in content["accounts"]}
        members = {one["project_name"]: (one["project_id"], one["token"])
                   for name, one in accounts.items()
                   if name.endswith("-member")}
        return cls(members, accounts["service"]["token"],
                   accounts["admin"]["project_id"])


def generator_arguments(layout: Layout, cast: Cast) -> list[str]:
    """Return the arguments of monasca-events-generate."""
    # A new seed each time: with the same one the second demonstration would
    # send the same events, and repeats are not shown twice.
    seed = random.SystemRandom().randrange(2 ** 31)
    arguments = ["--file", str(layout.notifications), "--rate", str(RATE),
                 "--seed", str(seed)]
    for project_id, _ in cast.members.values():
        arguments += ["--project", project_id]
    return arguments


def _get(url: str, token: str, path: str, **query) -> dict:
    request = urllib.request.Request(  # noqa: S310 - our own loopback URL
        f"{url}{path}?{urllib.parse.urlencode(query)}",
        headers={"X-Auth-Token": token})
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def _line(stamp: str, project: str, event: Mapping) -> str:
    """Return what is shown of an event, cut to the terminal's width."""
    text = (f"{stamp[11:23]}  {project:<5} {event['event_type']:<38} "
            f"{event['resource_id'] or ''}").rstrip()
    # Any client may have posted it: it shall not steer the terminal.
    text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}"
                   for one in text)
    return text[:shutil.get_terminal_size().columns] \
        if sys.stdout.isatty() else text


class _Show:
    """Prints what arrives in each project, then a search."""

    def __init__(self, url: str, cast: Cast) -> None:
        self._url = url
        self._cast = cast
        self._seen: set[str] = set()
        self._searched = False

    def turn(self) -> None:
        """Print what is new."""
        fresh = []
        for name, (_, token) in self._cast.members.items():
            answer = _get(self._url, token, "/v1.0/events", limit=50)
            fresh += [(event["timestamp"], name, event)
                      for event in answer["events"]
                      if event["event_id"] not in self._seen]
        for stamp, name, event in sorted(fresh, key=lambda one: one[:2]):
            self._seen.add(event["event_id"])
            print(_line(stamp, name, event), flush=True)
        if fresh and not self._searched \
                and len(self._seen) >= BEFORE_SEARCH:
            self._searched = True
            # A word that is there for sure: the last one of a type just
            # shown, such as end.
            _, name, event = fresh[-1]
            self._search(name, event["event_type"].rpartition(".")[2])

    def _search(self, name: str, word: str) -> None:
        """Ask one tenant's events for a word and show how to do it again."""
        _, token = self._cast.members[name]
        began = time.monotonic()
        answer = _get(self._url, token, "/v1.0/events", q=word, limit=3)
        milliseconds = (time.monotonic() - began) * 1000
        print(f"\nA search: the newest events of {name} with the word "
              f"“{word}” ({milliseconds:.0f} ms)\n"
              f"  curl -H 'X-Auth-Token: {token}' "
              f"'{self._url}/v1.0/events?q={word}&limit=3'")
        for event in answer["events"]:
            print(f"  {event['timestamp']}  {event['event_type']}")
        counts = _get(self._url, token, "/v1.0/events/types")["types"]
        print("and what there is: " + ", ".join(
            f"{one['event_type']} {one['count']}" for one in counts[:5])
            + "\n", flush=True)


def show(url: str, cast: Cast, stop: threading.Event, seconds: float) -> None:
    """Show what arrives until ``stop``, or for some seconds and set it.

    :param seconds: 0 goes on for ever
    """
    shown = _Show(url, cast)
    began = time.monotonic()
    print(f"\nEvents of two projects, {RATE} notifications a second:\n",
          flush=True)
    while not stop.wait(0.5):
        try:
            shown.turn()
        except (urllib.error.URLError, OSError) as error:
            print(f"the API does not answer: {error}", file=sys.stderr)
        if seconds and time.monotonic() - began >= seconds:
            stop.set()
