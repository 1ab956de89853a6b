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

"""Decoding a request's bytes as JSON, exactly.

orjson is strict about UTF-8, surrogates and NaN and fast, but turns an
integer of more than 64 bits into a float without saying so. Bodies that may
hold one are decoded again by the standard library, which is exact.
"""

import json

import orjson

from monasca_events_common.errors import Rejected

# Digits become 0 and what may stand before a number n: then one search tells
# whether a number may be long, and the many ids of digits in strings, which
# follow a quote or a letter, do not look like one.
_SHAPES = bytes(48 if one in b"0123456789" else 110 if one in b":,[- \t\r\n"
                else 32 for one in range(256))
_LONG = b"n" + b"0" * 19
_INT64 = range(-2 ** 63, 2 ** 64)


class TooLong:
    """Stands where an integer was that 64 bits cannot hold."""


_TOO_LONG = TooLong()


def decode(body: bytes):
    """Return the value.

    :raises Rejected: it is not JSON
    """
    try:
        value = orjson.loads(body)
        if _LONG in body.translate(_SHAPES):
            value = json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the body is not JSON: {str(error)[:200]}",
                       code="not_json") from None
    return value


def _integer(text: str):
    if len(text) <= 20:
        value = int(text)
        if value in _INT64:
            return value
    return _TOO_LONG


def has_too_long(value) -> bool:
    """Return whether an integer in ``value`` was too long."""
    level = [value]
    while level:
        below: list = []
        for one in level:
            if type(one) is dict:
                below.extend(one.values())
            elif type(one) is list:
                below.extend(one)
            elif one is _TOO_LONG:
                return True
        level = below
    return False
