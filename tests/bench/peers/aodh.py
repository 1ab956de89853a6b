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

"""Aodh: its evaluator of event alarms, without a server.

An alarm is of one project, has one glob for the event type and compares
traits, all of which must hold. A rule with alternatives becomes as many
alarms as it has combinations of these: there is no other way to say it. The
events are given in Aodh's own form, made before the measurement.
"""

from collections.abc import Iterator, Mapping
import itertools
import json
import pathlib

from tests.bench.peers import parts
from tests.bench.peers.leaves import leaves

_VERSION = "23.0.0"
# Those of the server of that name, so that they share an environment.
_REQUIREMENTS = (f"aodh=={_VERSION}", "gunicorn==23.0.0", "PyMySQL==1.2.4",
                 "setuptools==80.9.0")
_PROGRAM = pathlib.Path(__file__).parent / "aodh_evaluator.py"
_OPERATORS = {"=": "eq", ">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
# What Aodh numbers the types of traits.
_TEXT, _INTEGER, _FLOAT = 1, 2, 3
_TYPES = {_TEXT: "string", _INTEGER: "integer", _FLOAT: "float"}


def measure(events: pathlib.Path, rules: pathlib.Path, folder: pathlib.Path,
            warm: float, seconds: float) -> dict:
    """See ``peers.run``; ``folder`` is for files of its own."""
    python = parts.python(f"aodh-{_VERSION}", _REQUIREMENTS)
    alarms, samples = folder / "alarms", folder / "samples"
    with rules.open() as source, alarms.open("w") as target:
        for line in source:
            for alarm in alarms_of(json.loads(line)):
                print(json.dumps(alarm), file=target)
    with events.open() as source, samples.open("w") as target:
        for line in source:
            print(json.dumps(sample_of(json.loads(line))), file=target)
    # -P, for beside the program is a module that is called as Aodh's package.
    return parts.answer([python, "-P", str(_PROGRAM), str(alarms),
                         str(samples), str(warm), str(seconds)])


def alarms_of(rule: Mapping) -> Iterator[dict]:
    """Yield the alarms that say together what a rule says.

    :raises ValueError: an alarm cannot say it
    """
    fields = list(leaves(rule["pattern"]))
    for combination in itertools.product(*(
            alternatives for _path, alternatives in fields)):
        alarm = {"rule_id": rule["id"], "project_id": rule["project_id"],
                 "event_type": "*", "query": []}
        for (path, _alternatives), comparisons in zip(
                fields, combination, strict=True):
            for operator, value in comparisons:
                _add(alarm, path, operator, value)
        yield alarm


def _add(alarm: dict, path: str, operator: str, value: str | float) -> None:
    if path == "event_type" and operator in ("=", "prefix"):
        alarm["event_type"] = value + "*" * (operator == "prefix")
    elif path == "project_id" and (operator, value) == (
            "=", alarm["project_id"]):
        # Alarms are kept by project.
        return
    elif operator in _OPERATORS and path != "project_id":
        alarm["query"].append({
            "field": f"traits.{path.removeprefix('traits.')}",
            "op": _OPERATORS[operator], "value": value,
            "type": _TYPES[_type(value)]})
    else:
        raise ValueError(f"an alarm cannot say {path} {operator} {value!r}")


def sample_of(event: Mapping) -> dict:
    """Return an event as Aodh's listener gets it."""
    flat = {"project_id": event["project_id"],
            "resource_id": event["resource_id"], **event["traits"]}
    return {"message_id": event["event_id"],
            "event_type": event["event_type"],
            "generated": event["timestamp"],
            "traits": [[name, _type(value), value]
                       for name, value in flat.items() if value is not None]}


def _type(value: str | float) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _TEXT
    return _INTEGER if isinstance(value, int) else _FLOAT
