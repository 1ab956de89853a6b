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


"""Writes the tables of the API reference from the API's own description.

The pages in api-ref/source are written by hand; what stands in a table there,
and which sample is shown, comes from the OpenAPI document and so from the
schemas that validate. Run it after a change of the API: tox -e genapiref
"""

from collections.abc import Iterator, Mapping, Sequence
import collections
import pathlib
import re
import sys
from typing import Any

import yaml

from monasca_events_api import description
from monasca_events_api.description import samples

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "api-ref/source"

#: Where the files of the operations are, below the source.
OPERATIONS = "operations"

#: Schemas whose fields are the same everywhere and told on the first page.
KNOWN = ("Link", "Error")

_ORDER = ("header", "path", "query", "body")
_TYPES = {"number": "float"}

#: Field → how its limit is told.
_LIMITS = {"minimum": "At least {}.", "exclusiveMinimum": "More than {}.",
           "maximum": "At most {}.", "maxLength": "At most {} characters.",
           "maxItems": "At most {} items.",
           "maxProperties": "At most {} of them."}

Row = collections.namedtuple("Row", "shown place name entry")


class Reference:
    """The files that are written.

    :ivar operations: operation → its object in the description, with ``path``
        and ``method`` besides
    """

    def __init__(self, document: Mapping) -> None:
        self._components = document["components"]
        self.operations = {
            made["operationId"]: {**made, "path": path,
                                  "method": method.upper()}
            for path, item in document["paths"].items()
            for method, made in item.items()}
        self._rows = {(name, side): list(found(one))
                      for name, one in self.operations.items()
                      for side, found in (("request", self._request),
                                          ("response", self._response))}
        self._keys = _name_entries(self._rows.values())

    def files(self) -> dict[str, str]:
        """Return file below the source → what is to stand in it."""
        return {"parameters.yaml": self._parameters(),
                "status.yaml": self._statuses(),
                **{f"{OPERATIONS}/{name}.inc": self._page(name, one)
                   for name, one in self.operations.items()}}

    # -- what an operation takes and gives

    def _request(self, one: Mapping) -> Iterator[Row]:
        name = one["operationId"]
        for parameter in one.get("parameters", ()):
            if "$ref" in parameter:
                parameter = self._components["parameters"][
                    parameter["$ref"].rpartition("/")[2]]
            yield Row(parameter["name"], name, parameter["name"], _entry(
                parameter["schema"], parameter["in"],
                parameter.get("required", False), parameter["description"]))
        body = one.get("requestBody", {}).get("content", {}).get(
            "application/json")
        if not body:
            return
        schema, optional = body["schema"], False
        if names := schema.get("propertyNames"):
            # A patch: anything of what it was made of.
            made = "post" + one["operationId"].removeprefix("patch"
                ).rpartition("_")[0].rpartition("_")[0]
            schema = self.operations[made]["requestBody"]["content"][
                "application/json"]["schema"]
            optional = True
            schema = {"properties": {
                key: value for key, value
                in self._properties(schema)[0].items()
                if key in names["enum"]}}
        yield from self._fields(schema, name, optional=optional)

    def _response(self, one: Mapping) -> Iterator[Row]:
        said = next(value for status, value in one["responses"].items()
                    if status < "300")
        for name, header in said.get("headers", {}).items():
            yield Row(name, one["operationId"], name, _entry(
                header["schema"], "header", True, header["description"]))
        if body := said.get("content", {}).get("application/json"):
            yield from self._fields(body["schema"], one["operationId"])

    def _fields(self, schema: Mapping, place: str, prefix: str = "",
                optional: bool = False) -> Iterator[Row]:
        """Yield the fields of a body, those within others behind them."""
        if "$ref" in schema:
            place = schema["$ref"].rpartition("/")[2]
        properties, required = self._properties(schema)
        for name, one in properties.items():
            yield Row(prefix + name, place, name, _entry(
                self._whole(one), "body",
                name in required and not optional, one["description"]))
            yield from self._within(one, place, f"{prefix}{name}.")

    def _within(self, schema: Mapping, place: str, prefix: str
                ) -> Iterator[Row]:
        if schema.get("$ref", "").endswith(KNOWN):
            return
        yield from self._fields(schema, place, prefix)
        whole = self._whole(schema)
        for one in (whole, *whole.get("anyOf", ())):
            if items := one.get("items"):
                yield from self._within(items, place, prefix)
            if type(values := one.get("additionalProperties")) is dict:
                yield from self._within(values, place, f"{prefix}*.")

    def _whole(self, schema: Mapping) -> Mapping:
        """Return what a reference stands for, with its own words."""
        if "$ref" not in schema:
            return schema
        found = self._components["schemas"][schema["$ref"].rpartition("/")[2]]
        return {**found, **{key: value for key, value in schema.items()
                            if key != "$ref"}}

    def _properties(self, schema: Mapping) -> tuple[dict, set[str]]:
        """Return the properties of an object, or of any that it may be, and
        those that it has to have."""
        schema = self._whole(schema)
        found = dict(schema.get("properties", {}))
        required = set(schema.get("required", ()))
        several = [self._properties(one) for one in schema.get("anyOf", ())
                   if one != {"type": "null"}]
        for properties, _ in several:
            for name, one in properties.items():
                found[name] = _joined(found.get(name), one)
        if several:
            # Nothing that a bare object stands for is needed.
            required |= set.intersection(*(
                names for properties, names in several if properties)) \
                if any(properties for properties, _ in several) else set()
        return found, required

    # -- the files

    def _parameters(self) -> str:
        entries = {self._keys[_identity(row)]: row.entry
                   for rows in self._rows.values() for row in rows}
        ordered = dict(sorted(entries.items(), key=lambda item: (
            _ORDER.index(item[1]["in"]), item[0].lower())))
        return _yaml(ordered)

    def _statuses(self) -> str:
        found: dict[int, str] = {}
        for one in self.operations.values():
            for status, said in one["responses"].items():
                if "$ref" in said:
                    said = self._components["responses"][status]
                found[int(status)] = said["description"]
        return _yaml({status: {"default": _rst(found[status])}
                      for status in sorted(found)})

    def _page(self, name: str, one: Mapping) -> str:
        statuses = sorted(map(int, one["responses"]))
        parts = [".. Written by tools/api_reference.py.\n"]
        for kind, some in (
                ("success", [each for each in statuses if each < 300]),
                ("error", [each for each in statuses if each >= 300])):
            if some:
                parts.append(f".. rest_status_code:: {kind} status.yaml\n\n"
                             + "".join(f"   - {each}\n" for each in some))
        if policies := one.get("x-openstack-policies"):
            parts.append("Policies: " + ", ".join(
                f"``{each}``" for each in policies) + ".\n")
        variants = list(samples.of(name))
        shown = variants[0][1] if variants else []
        if self._rows[name, "request"]:
            parts += [_title("Request"), self._table(name, "request")]
        parts += [_include(each) for each in shown
                  if each.role == samples.REQUEST]
        parts += [_title("Response"), self._table(name, "response")]
        parts += [_include(each) for each in shown
                  if each.role != samples.REQUEST]
        if variants[1:]:
            parts.append(_title("More examples"))
        for variant, several in variants[1:]:
            parts.append(f"*{variant.replace('_', ' ').capitalize()}*\n")
            for each in several:
                if each.role != samples.REQUEST:
                    parts.append(f"Answered with {each.role}:\n")
                parts.append(_include(each))
        return "\n".join(parts)

    def _table(self, name: str, side: str) -> str:
        return ".. rest_parameters:: parameters.yaml\n\n" + "".join(
            f"   - {row.shown}: {self._keys[_identity(row)]}\n"
            for row in self._rows[name, side])


def _identity(row: Row) -> tuple:
    return row.place, row.name, repr(row.entry)


def _name_entries(tables) -> dict[tuple, str]:
    """Return a key in parameters.yaml for each row.

    The commonest of a name has the name, others their place besides.
    """
    places: dict[tuple, list[Row]] = {}
    for rows in tables:
        for row in rows:
            some = places.setdefault((row.name, row.entry["in"]), [])
            some.append(row)
    keys: dict[tuple, str] = {}
    for (name, where), rows in places.items():
        counted = collections.Counter(repr(row.entry) for row in rows)
        common = counted.most_common(1)[0][0]
        taken: dict[str, str] = {}
        for row in rows:
            entry = repr(row.entry)
            key = f"{name}_{where}"
            if entry != common:
                key += f"_{row.place}"
                count = 1
                while taken.setdefault(key, entry) != entry:
                    count += 1
                    key = f"{name}_{where}_{row.place}_{count}"
            keys[_identity(row)] = key
    return keys


def _joined(old: Mapping | None, new: Mapping) -> Mapping:
    """Return the schema of what is the one or the other."""
    if old is None or old == new:
        return new
    if "const" in new and ("const" in old or "enum" in old):
        several = old.get("enum") or [old["const"]]
        return {**{key: value for key, value in old.items()
                   if key != "const"},
                "enum": list(dict.fromkeys([*several, new["const"]]))}
    return {**new, **old}


def _entry(schema: Mapping, where: str, required: bool, said: str
           ) -> dict[str, Any]:
    """Return what stands in parameters.yaml."""
    words = [said if said.endswith((".", ")")) else f"{said}."]
    given = schema.get("items", {}) if where == "query" else schema
    if several := given.get("enum"):
        words.append("One of " + ", ".join(
            "null" if each is None else f"``{each}``" for each in several)
            + ".")
    elif "const" in given:
        words.append(f"``{str(given['const']).lower()}``.")
    # That a count is not negative goes without saying.
    words += [form.format(schema[limit]) for limit, form in _LIMITS.items()
              if limit in schema and (limit, schema[limit]) != ("minimum", 0)]
    if where == "query" and schema.get("type") == "array":
        words.append("May be repeated.")
    return {"description": _rst(" ".join(words)), "in": where,
            "required": required, "type": _type(schema)}


def _type(schema: Mapping) -> str:
    if "type" in schema:
        kinds = schema["type"]
        return " or ".join(_TYPES.get(kind, kind) for kind in (
            [kinds] if isinstance(kinds, str) else kinds))
    if several := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(map(_type, several)))
    if "$ref" in schema or "properties" in schema:
        return "object"
    if any(key in schema for key in ("enum", "const")):
        kinds = schema.get("enum") or [schema["const"]]
        return " or ".join(dict.fromkeys(
            {str: "string", bool: "boolean", type(None): "null"}.get(
                type(each), "integer") for each in kinds))
    return "any"


def _rst(text: str) -> str:
    """Return a text in which nothing is markup but literals."""
    parts = re.split("(``[^`]+``)", text)
    return "".join(part if part.startswith("``") else
                   re.sub(r"([*|\\]|_\b)", r"\\\1", part) for part in parts)


def _title(text: str) -> str:
    return f"{text}\n{'-' * len(text)}\n"


def _include(sample: samples.Sample) -> str:
    return (f".. literalinclude:: samples/{sample.file}\n"
            f"   :language: {'json' if sample.form == 'json' else 'text'}\n")


def _yaml(content: Mapping) -> str:
    return "# Written by tools/api_reference.py.\n" + yaml.safe_dump(
        dict(content), sort_keys=False, allow_unicode=True, width=78)


def make() -> dict[str, str]:
    """Return file below the source → what is to stand in it."""
    return Reference(description.describe(
        "https://events.example.org")).files()


def main(arguments: Sequence[str]) -> int:
    """Write the files; return the exit status."""
    if arguments:
        print("usage: api_reference.py", file=sys.stderr)
        return 2
    files = make()
    (SOURCE / OPERATIONS).mkdir(exist_ok=True)
    for path in (SOURCE / OPERATIONS).iterdir():
        if f"{OPERATIONS}/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        (SOURCE / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
