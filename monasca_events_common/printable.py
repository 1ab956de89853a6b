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

"""Text of tenants, made fit for a line of a log, a header or a table.

Whoever shows what a tenant wrote to a person calls :func:`escape`: a line
break would forge a second line, an escape sequence would steer a terminal, a
mark of direction would show something else than is there.
"""

import re

# C0, DEL, C1, line and paragraph separators, and the
# marks that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c"
                       "\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def escape(text: str, limit: int | None = None) -> str:
    r"""Return the text with such characters as ``\uXXXX``.

    :param limit: characters of ``text`` that are kept; what is longer ends
        in an ellipsis
    """
    if limit is not None and len(text) > limit:
        text = text[:limit - 1] + "\u2026"
    return _CONTROLS.sub(
        lambda found: f"\\u{ord(found.group()):04x}", text)
