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

"""Leave root behind: for the servers that refuse to run as it."""

import os
import pathlib
import pwd
import shutil
from collections.abc import Sequence

from servers import Missing

_NAME = "nobody"


def needed(name: str) -> None:
    """Raise Missing if `name` refuses root and there is no way around."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        raise Missing(f"{name} refuses root, and there is no setpriv to run "
                      f"it as {_NAME}: install util-linux")


def give(directory: pathlib.Path) -> None:
    """Let the account own what is in `directory`, but for its record."""
    if os.geteuid() != 0:
        return
    account = pwd.getpwnam(_NAME)
    for path in (directory, *directory.rglob("*")):
        if path.name != "record.json":
            os.chown(path, account.pw_uid, account.pw_gid)


def without_root(argv: Sequence[str], paths: Sequence[pathlib.Path]
                 ) -> list[str]:
    """Return the command line that runs `argv` as anybody but root.

    Where a folder above `paths`, such as root's home, is closed to others,
    the account may still pass through and read: that one capability is left
    to it.
    """
    if os.geteuid() != 0:
        return list(argv)
    account = pwd.getpwnam(_NAME)
    start = ["setpriv", f"--reuid={account.pw_uid}",
             f"--regid={account.pw_gid}", "--clear-groups"]
    above = {parent for path in paths for parent in path.parents}
    if not all(parent.stat().st_mode & 0o001 for parent in above):
        start += ["--securebits=+no_setuid_fixup",
                  "--inh-caps=+dac_read_search",
                  "--ambient-caps=+dac_read_search"]
    return [*start, "--", *argv]
