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

"""Start the command line: `python tools/servers up kafka`."""

import pathlib
import sys

if not __package__:
    # Run by its path, the package's own folder is first on the search path,
    # where `kafka.py` would hide the client library of the same name.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from servers import command  # noqa: E402

if __name__ == "__main__":
    sys.exit(command.main(sys.argv[1:]))
