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

"""Reads and changes one option of an INI file, line by line as devstack does.

    ini.py set|get|delete|has FILE SECTION OPTION [VALUE]

A file that is missing is made by ``set``. ``has`` answers by exit status.
"""

import pathlib
import re
import sys


def place(lines: list[str], section: str) -> tuple[int, int]:
    """Return the first line after a section's name, and its end.

    :raises ValueError: there is no such section
    """
    first = lines.index(f"[{section}]") + 1
    for number in range(first, len(lines)):
        if lines[number].startswith("["):
            return first, number
    return first, len(lines)


def found(lines: list[str], section: str, option: str) -> list[int]:
    """Return the numbers of the lines that set an option."""
    try:
        first, end = place(lines, section)
    except ValueError:
        return []
    pattern = re.compile(rf"{re.escape(option)}[ \t]*=")
    return [number for number in range(first, end)
            if pattern.match(lines[number])]


def main(verb: str, file: str, section: str, option: str,
         value: str = "") -> int:
    path = pathlib.Path(file)
    lines = path.read_text().splitlines() if path.exists() else []
    numbers = found(lines, section, option)
    if verb == "has":
        return 0 if numbers else 1
    if verb == "get":
        print(" ".join(lines[number].partition("=")[2].strip()
                       for number in numbers))
        return 0
    if verb == "delete":
        lines = [line for number, line in enumerate(lines)
                 if number not in numbers]
    else:
        # The shell takes runs of blanks for one.
        line = f"{option} = {' '.join(value.split())}"
        for number in numbers:
            lines[number] = line
        if not numbers:
            if f"[{section}]" not in lines:
                lines += ["", f"[{section}]"]
            lines.insert(place(lines, section)[0], line)
    path.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
