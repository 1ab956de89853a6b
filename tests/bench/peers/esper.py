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

"""Esper: one statement a rule, fed the fields that rules look at.

Jackson reads these from the bytes into an array and passes over all others.
That is faster than Esper's own reading of JSON into a type that it was told
(``create json schema``), most of all with few rules, and than maps. Exact
values are compared in filters, which Esper keeps in one index for all
statements: one statement a tenant or type would take that from it.
"""

from collections.abc import Mapping, Sequence
import json
import pathlib

from tests.bench.peers import parts
from tests.bench.peers.leaves import leaves

_VERSION = "8.9.0"
_COORDINATES = (*(f"com.espertech:esper-{part}:{_VERSION}"
                  for part in ("runtime", "compiler", "common")),
                "com.fasterxml.jackson.core:jackson-databind:2.16.2")


def measure(events: pathlib.Path, rules: pathlib.Path, folder: pathlib.Path,
            warm: float, seconds: float) -> dict:
    """See ``peers.run``; ``folder`` is for files of its own."""
    program = parts.java_program(f"esper-{_VERSION}", _COORDINATES,
                                 "EsperPeer")
    translated = folder / "statements.json"
    translated.write_text(json.dumps(translate(
        [json.loads(line) for line in rules.read_text().splitlines()])))
    return parts.answer([*program, str(translated), str(events), str(warm),
                         str(seconds)])


def translate(rules: Sequence[Mapping]) -> dict:
    """Return what an event is and a statement for each rule.

    :raises ValueError: a field is a word here and a number there
    """
    types: dict[str, str] = {}
    statements = [_statement(rule, types) for rule in rules]
    fields = ", ".join(f"{_name(path)} {kind}"
                       for path, kind in types.items())
    return {"schema": "@public @buseventtype create objectarray schema "
                      f"Event({fields})",
            "fields": list(types), "rules": statements}


def _statement(rule: Mapping, types: dict[str, str]) -> dict:
    """Return a rule's statement; add its fields to ``types``."""
    clauses, values = [], []

    def parameter(path: str, value: str | float) -> str:
        kind = "string" if isinstance(value, str) else "double"
        if types.setdefault(path, kind) != kind:
            raise ValueError(f"{path} is a {types[path]}, not {value!r}")
        values.append(value)
        # By name: without one, they are not counted in the order in which
        # they are written.
        return f"?:p{len(values) - 1}:{kind}"

    for path, alternatives in leaves(rule["pattern"]):
        written = [[(operator, parameter(path, value))
                    for operator, value in comparisons]
                   for comparisons in alternatives]
        clauses.append(_clause(_name(path), written))
    return {"id": rule["id"], "values": values,
            "epl": f"select * from Event({' and '.join(clauses)})"}


def _clause(name: str, alternatives: Sequence[Sequence[tuple[str, str]]]
            ) -> str:
    if all(comparisons[0][0] == "=" for comparisons in alternatives):
        words = [comparisons[0][1] for comparisons in alternatives]
        if len(words) == 1:
            return f"{name} = {words[0]}"
        return f"{name} in ({', '.join(words)})"
    written = [" and ".join(
        f"{name}.startsWith({word})" if operator == "prefix"
        else f"{name} {operator} {word}" for operator, word in comparisons)
        for comparisons in alternatives]
    return "(" + " or ".join(f"({one})" for one in written) + ")"


def _name(path: str) -> str:
    return path.replace(".", "__")
