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

"""Patterns that are made to take long, and an event to take it on (S9–S11).

The unit tests see that each ends; the bench ``rules`` sees how soon.
"""

from tests.unit.common.rules import samples

_OPERATORS = (
    {"wildcard": "*a*a*a*a*a*a*a*b"}, {"wildcard": "a*a*a*a*a*a*a*a*c"},
    {"suffix": "a" * 1000 + "b"}, {"prefix": "a" * 1023 + "b"},
    {"equals-ignore-case": "A" * 1000}, {"anything-but": ["a" * 20]},
    {"cidr": "::/0"}, {"anything-but": {"wildcard": "*a*a*a*c*"}},
    {"numeric": ["<", -1]})

PATTERNS = [{"payload": {name: [operator]}} for name in ("a", "b", "c")
            for operator in _OPERATORS]
PATTERNS += [
    {"payload": {"d": {"e": {"f": [{"numeric": [">", 1e9]}]}}}},
    {"payload": {"a": [{"prefix": str(n)} for n in range(20)]}},
    {"$or": [{"payload": {"a": [{"suffix": str(n)}]}} for n in range(60)]}]


def event() -> dict:
    """Return an event near the limits of size: wide, long and nested."""
    return samples.event(payload={
        "a": ["a" * 20] * 5_000, "b": "a" * 100_000,
        "c": [[["x"] * 50] * 50] * 5,
        "d": [{"e": [{"f": n}] * 30} for n in range(60)]})
