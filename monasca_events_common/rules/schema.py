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

"""JSON Schemas of what people send, and the errors they give.

The schemas (2020-12) stand beside what they describe; they validate requests
and make the API's own description. Here one is applied, and the first thing
that is wrong becomes a sentence that says where, what and what was expected.
"""

from collections.abc import Mapping

import jsonschema
from jsonschema import exceptions

from monasca_events_common.errors import Rejected
from monasca_events_common.rules.operators import shown

_ARTICLES = {"object": "an object", "array": "an array",
             "string": "a string", "number": "a number",
             "integer": "a whole number", "boolean": "true or false",
             "null": "null"}


def check(schema: Mapping, content, what: str,
          code: str = "invalid_definition") -> None:
    """Return when the content is what the schema says.

    :param what: the thing's name, such as ``trigger``; errors begin with it
    :raises Rejected: with ``where`` and a sentence
    """
    error = exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(content))
    if error is None:
        return
    where = what + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}"
        for step in error.absolute_path)
    raise Rejected(f"{where} {_sentence(error)}", code=code, where=where)


def _sentence(error: exceptions.ValidationError) -> str:
    keyword, wanted, found = (error.validator, error.validator_value,
                              error.instance)
    if keyword == "required":
        missing = [name for name in wanted if name not in found]
        return f"lacks {missing[0]!r}; expected {_listed(wanted)}"
    if keyword == "additionalProperties":
        known = error.schema.get("properties", {})
        extra = sorted(set(found) - set(known))
        return f"has the key {extra[0][:64]!r}; expected {_listed(known)}"
    expected = {
        "type": lambda: " or ".join(
            _ARTICLES[one] for one in
            ([wanted] if isinstance(wanted, str) else wanted)),
        "enum": lambda: "one of " + ", ".join(map(str, wanted)),
        "const": lambda: repr(wanted),
        "minLength": lambda: f"at least {wanted} characters",
        "maxLength": lambda: f"at most {wanted} characters",
        "minItems": lambda: f"at least {wanted} items",
        "maxItems": lambda: f"at most {wanted} items",
        "uniqueItems": lambda: "each item once",
        "minProperties": lambda: f"at least {wanted} keys",
        "maxProperties": lambda: f"at most {wanted} keys",
        "minimum": lambda: f"at least {wanted}",
        "exclusiveMinimum": lambda: f"more than {wanted}",
        "maximum": lambda: f"at most {wanted}",
        "pattern": lambda: error.schema.get("description",
                                            f"what matches {wanted}"),
    }.get(keyword, lambda: error.schema.get("description", keyword))
    return f"is {shown(found)}; expected {expected()}"


def _listed(names) -> str:
    return ", ".join(names)
