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

"""Install packages from a folder on this machine, as it is just now."""

import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

from servers import Failed
from servers import tasks

# A copy has no history, from which some packages would make these.
_ENVIRONMENT = {"PBR_VERSION": "0.0.1", "SKIP_WRITE_GIT_CHANGELOG": "1",
                "SKIP_GENERATE_AUTHORS": "1"}


def digest(checkouts: Sequence[pathlib.Path]) -> str:
    """Return what changes whenever one of the checkouts' files does."""
    found = hashlib.sha256()
    for checkout in checkouts:
        for path in files(checkout):
            found.update(f"{path}\0".encode())
            found.update((checkout / path).read_bytes())
    return found.hexdigest()


def files(checkout: pathlib.Path) -> list[pathlib.Path]:
    """Return the paths, within `checkout`, of all files that are sources.

    In a git work tree, those that git does not ignore. Raises Failed if
    there is nothing to install there.
    """
    if not any((checkout / name).is_file()
               for name in ("pyproject.toml", "setup.py")):
        raise Failed(f"{checkout} has no pyproject.toml and no setup.py")
    try:
        listed = tasks.run("git", [
            "git", "-C", str(checkout), "ls-files", "-coz",
            "--exclude-standard"])
    except Failed:
        return sorted(path.relative_to(checkout)
                      for path in checkout.rglob("*") if path.is_file())
    return sorted(pathlib.Path(name) for name in listed.split("\0")
                  if name and (checkout / name).is_file())


def install(environment: pathlib.Path, target: pathlib.Path,
            checkouts: Sequence[pathlib.Path],
            requirements: Sequence[str]) -> None:
    """Put the packages, and `requirements`, into the folder `target`.

    Nothing that they depend on: what is not in `environment` has to be
    among the requirements. The checkouts are copied first, for a build
    leaves files behind.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies = [_copied(checkout, pathlib.Path(folder) / str(number))
                  for number, checkout in enumerate(checkouts)]
        tasks.run("pip", [
            str(environment / "bin/pip"), "install", "-q", "--no-deps",
            "--disable-pip-version-check", "--target", str(target),
            *map(str, copies), *requirements], env=_ENVIRONMENT)


def _copied(checkout: pathlib.Path, copy: pathlib.Path) -> pathlib.Path:
    for path in files(checkout):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout / path, copy / path)
        os.chmod(copy / path, (checkout / path).stat().st_mode & 0o777)
    # pbr asks git which files belong to a package.
    for words in (["init", "-q"], ["add", "-A", "-f"]):
        tasks.run("git", ["git", "-C", str(copy), *words])
    return copy
