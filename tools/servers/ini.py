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

"""Write the configuration files of the servers that use oslo.config."""

import configparser
import io
from collections.abc import Mapping

from servers import Failed


def render(server: str, options: Mapping[str, str],
           short: Mapping[str, tuple[str, str]]) -> str:
    """Return the file that sets `options`, named SECTION.KEY or as in `short`.

    `short` maps a handy name to section and key. Raises Failed for a name
    that is neither.
    """
    config = configparser.RawConfigParser(default_section="", delimiters="=")
    config.optionxform = str  # type: ignore[assignment,method-assign]
    for name, value in options.items():
        section, separator, key = ".".join(
            short.get(name, (name,))).partition(".")
        if not separator:
            names = f' or one of {", ".join(short)}' if short else ""
            raise Failed(f"{server}: no setting {name}: use SECTION.KEY"
                         f"{names}")
        if not config.has_section(section):
            config.add_section(section)
        config.set(section, key, value)
    text = io.StringIO()
    config.write(text)
    return text.getvalue()
