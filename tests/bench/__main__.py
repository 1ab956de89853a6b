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

"""Runs the benchmarks: ``python -m tests.bench [--short] [NAME …]``.

Each benchmark is a module ``tests.bench.bench_NAME`` that prints one JSON
line on standard output, with what it measured and the ratio to what it was
compared with in the same run. Everything else goes to standard error.
"""

import argparse
import pathlib
import subprocess
import sys


def names() -> list[str]:
    """Return the benchmarks there are."""
    folder = pathlib.Path(__file__).parent
    return sorted(path.stem.removeprefix("bench_")
                  for path in folder.glob("bench_*.py"))


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.bench",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"one of: {', '.join(names())} (default: all)")
    parser.add_argument("--short", action="store_true",
                        help="a few seconds each, to see that they work")
    arguments = parser.parse_args()
    status = 0
    for name in arguments.names or names():
        print(f"== {name}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"tests.bench.bench_{name}"]
        if arguments.short:
            command.append("--short")
        status |= subprocess.run(command, check=False).returncode
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
