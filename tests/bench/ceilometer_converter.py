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


"""Ceilometer's converter from notifications to events, as a peer.

Installed from PyPI into a virtual environment of its own below
``$MONASCA_EVENTS_CACHE``, and run there as its agent runs it: on what
oslo.messaging hands over, decoded, with the definitions that it ships.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import json
import subprocess
import sys
import tempfile
import venv

import yaml

from tests.cache import CACHE

# Runs under the peer's interpreter: reads rounds of batches, one a line, and
# prints the rate of the best round and what became of the last one.
_CODE = """
import json, logging, sys, time
from ceilometer import service
from ceilometer.event import converter
from stevedore import extension
conf = service.prepare_service(["bench"], config_files=[])
if len(sys.argv) > 1:
    conf.set_override("definitions_cfg_file", sys.argv[1], group="event")
logging.disable(logging.CRITICAL)
made = converter.setup_events(conf, extension.ExtensionManager(
    namespace="ceilometer.event.trait_plugin"))
best = 0.0
for line in sys.stdin:
    spent, count, failed, traits = 0.0, 0, 0, 0
    for batch in json.loads(line):
        notifications = json.loads(batch)
        count += len(notifications)
        start = time.process_time()
        for priority, body in notifications:
            try:
                traits += len(made.to_event(priority, body).traits)
            except Exception:
                failed += 1
        spent += time.process_time() - start
    best = max(best, count / spent)
print(json.dumps({"rate": best, "failed": failed, "traits": traits / count}))
"""


def python() -> str:
    """Return the peer's interpreter; install it where it is not yet.

    :raises OSError, subprocess.CalledProcessError: it cannot be installed
    """
    home = CACHE / "ceilometer-bench"
    found = home / "bin/python"
    if not (home / "complete").exists():
        print("installing ceilometer, once", file=sys.stderr)
        venv.create(home, with_pip=True)
        subprocess.run([found, "-m", "pip", "install", "-q", "ceilometer"],
                       check=True, stdout=sys.stderr)
        (home / "complete").touch()
    return str(found)


def convert(rounds: Iterable[Iterable[Sequence[dict]]],
            definitions: Sequence[dict] | None = None) -> dict:
    """Return Ceilometer's rate in the best of the rounds, how many of the
    last it failed to convert, and how many traits it made of each.

    :param rounds: batches of notifications; each is decoded before it is
        converted, which does not count
    :param definitions: what it shall use instead of its own
    """
    text = "\n".join(
        json.dumps([json.dumps([_handed_over(one) for one in batch])
                    for batch in batches]) for batches in rounds)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(definitions, file)
        file.flush()
        done = subprocess.run(
            [python(), "-c", _CODE, *([file.name] if definitions else [])],
            text=True, input=text, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def _handed_over(found: dict) -> list:
    """Return a notification as oslo.messaging's listener hands it over."""
    priority = found["priority"].lower()
    return [priority, {
        "event_type": found["event_type"], "payload": found["payload"],
        "publisher_id": found["publisher_id"], "ctxt": found["context"],
        "priority": priority,
        "metadata": {"message_id": found["message_id"],
                     "timestamp": found["timestamp"]}}]


_TYPES = {"integer": "int", "floating": "float", "moment": "datetime"}


def definition(event_type: str, payload: Mapping, places: Mapping) -> dict:
    """Return a definition for Ceilometer.

    :param payload: an example, which shows where wrappers are
    :param places: by trait its type and the names on the way to it, unwrapped
    """
    return {"event_type": event_type, "traits": {
        name: {"type": _TYPES.get(kind, "text"),
               "fields": ["payload" + _path(payload, names)
                          for names in several]}
        for name, (kind, several) in places.items()}}


def _path(value, names: Sequence[str]) -> str:
    """Return a path of names as JSONPath, through the wrappers."""
    path = ""
    for name in names:
        if isinstance(value, Mapping) and "nova_object.data" in value:
            path += ".'nova_object.data'"
            value = value["nova_object.data"]
        if isinstance(value, list):
            place = 0 if name == "*" else int(name)
            path += f"[{place}]"
            value = value[place] if place < len(value) else None
        else:
            path += f".'{name}'"
            value = value.get(name) if isinstance(value, Mapping) else None
    return path
