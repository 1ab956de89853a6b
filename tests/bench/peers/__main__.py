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

"""Runs a peer by hand: ``python -m tests.bench.peers EVENTS RULES``."""

import argparse
import json
import pathlib
import sys

from tests.bench import peers
from tests.bench.sample import Missing

_MISSING = 3


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.bench.peers",
        description="Tell how fast a peer decides, as one line of JSON.")
    parser.add_argument("events", type=pathlib.Path,
                        help="canonical events, one a line")
    parser.add_argument("rules", type=pathlib.Path,
                        help='{"id", "project_id", "pattern"}, one a line')
    parser.add_argument("--peer", choices=peers.PEERS, default="event-ruler")
    parser.add_argument("--warm", type=float, default=5.0,
                        help="seconds before it counts (default: 5)")
    parser.add_argument("--seconds", type=float, default=5.0,
                        help="seconds to measure, at least (default: 5)")
    parser.add_argument("--limit", type=int, default=0,
                        help="take so many events (default: all)")
    arguments = parser.parse_args()
    try:
        print(json.dumps({"peer": arguments.peer, **peers.run(
            arguments.peer, arguments.events, arguments.rules,
            warm=arguments.warm, seconds=arguments.seconds,
            limit=arguments.limit)}))
    except Missing as error:
        print(error, file=sys.stderr)
        return _MISSING
    return 0


if __name__ == "__main__":
    sys.exit(main())
