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

"""Where the servers come from: Maven Central, PyPI and Debian packages.

Each function returns at once when its part is already there, and raises
Missing, with what to do about it, when the part cannot be had.
"""

import contextlib
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence

from servers import Missing
from servers import locks
from servers import progress

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
 <modelVersion>4.0.0</modelVersion>
 <groupId>servers</groupId><artifactId>fetched</artifactId>
 <version>1</version><packaging>pom</packaging>
 <dependencies>
{dependencies} </dependencies>
</project>
"""
_DEPENDENCY = """  <dependency>
   <groupId>{}</groupId><artifactId>{}</artifactId>
   <version>{}</version><type>{}</type>
  </dependency>
"""
_POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


def java_home(least: int = 17) -> pathlib.Path:
    """Return the home of a Java that is new enough."""
    home = os.environ.get("JAVA_HOME")
    program = (str(pathlib.Path(home) / "bin/java") if home
               else shutil.which("java"))
    if not program or not os.access(program, os.X_OK):
        raise Missing(f"no java found: install OpenJDK {least} or newer, or "
                      "set JAVA_HOME")
    answer = subprocess.run([program, "-version"], capture_output=True,
                            text=True).stderr
    version = re.search(r'version "(\d+)', answer)
    if not version or int(version.group(1)) < least:
        raise Missing(f"{program} is not Java {least} or newer: install "
                      f"OpenJDK {least}, or set JAVA_HOME")
    return pathlib.Path(program).resolve().parent.parent


def maven(cache: pathlib.Path, target: pathlib.Path,
          coordinates: Sequence[str], transitive: bool = True) -> None:
    """Fill `target` with the artifacts `group:artifact:version[:type]`."""
    with filling(target, " ".join(coordinates)) as todo:
        if not todo:
            return
        if not shutil.which("mvn"):
            raise Missing(f"no mvn found to fetch {coordinates[0]}: install "
                          "Maven 3")
        progress.say(f"fetching {coordinates[0]} from Maven Central")
        pom = target / "pom.xml"
        pom.write_text(pom_of(coordinates))
        _run(["mvn", "-q", "-B", "-f", str(pom),
              f'-Dmaven.repo.local={cache / "maven"}',
              f"-DexcludeTransitive={str(not transitive).lower()}",
              "-DincludeScope=runtime", f"-DoutputDirectory={target}",
              "dependency:copy-dependencies"],
             f"Maven could not fetch {coordinates[0]}")


def pom_of(coordinates: Sequence[str]) -> str:
    """Return a project file that depends on `coordinates`."""
    parts = [(coordinate.split(":") + ["jar"])[:4]
             for coordinate in coordinates]
    return _POM.format(dependencies="".join(
        _DEPENDENCY.format(*part) for part in parts))


def unpacked(archive: pathlib.Path, target: pathlib.Path) -> None:
    """Unpack a zip file into `target`, keeping what is executable."""
    with filling(target, archive.name) as todo:
        if not todo:
            return
        with zipfile.ZipFile(archive) as source:
            for member in source.infolist():
                path = source.extract(member, target)
                mode = member.external_attr >> 16 & 0o777
                if mode and not member.is_dir():
                    os.chmod(path, mode)


def virtualenv(target: pathlib.Path, requirements: Sequence[str]) -> None:
    """Make `target` a virtual environment that has `requirements`."""
    with filling(target, " ".join(requirements)) as todo:
        if not todo:
            return
        progress.say(f"installing {requirements[0]} from PyPI")
        _run([sys.executable, "-m", "venv", str(target)],
             "cannot make a virtual environment (on Debian, install "
             "python3-venv)")
        _run([str(target / "bin/pip"), "install", "-q",
              "--disable-pip-version-check", *requirements],
             f"pip could not install {requirements[0]}")


def debian(package: str, program: str) -> None:
    """Have the Debian `package` that brings `program` installed.

    `program` is a path, or a pattern that matches one; a shared library
    (`….so`) need not be a program.
    """
    if _usable(program):
        return
    if not shutil.which("apt-get"):
        raise Missing(f"no {program}, and no apt-get to install the Debian "
                      f"package {package}")
    if os.geteuid() != 0:
        raise Missing(f"no {program}: as root, run apt-get install {package}")
    progress.say(f"installing the Debian package {package}")
    with locks.held(pathlib.Path("/run/lock/monasca-events-apt.lock")):
        with _services_kept_down():
            _install(package)
    if not _usable(program):
        raise Missing(f"the Debian package {package} has no {program}")


def _usable(pattern: str) -> bool:
    wanted = os.R_OK if pattern.endswith(".so") else os.X_OK
    return any(os.access(path, wanted) for path in glob.glob(pattern))


def _install(package: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends",
               "-o", "DPkg::Lock::Timeout=300", package]
    refused = f"apt-get could not install {package}"
    try:
        _run(install, refused, environment)
    except Missing:
        # No package lists yet, or old ones that name files gone since.
        _run(["apt-get", "update", "-q"], "apt-get update failed",
             environment)
        _run(install, refused, environment)


@contextlib.contextmanager
def _services_kept_down() -> Iterator[None]:
    """Keep Debian from starting what it installs, then put things back."""
    saved = _POLICY.with_name("policy-rc.d.monasca-events")
    if _POLICY.exists() and not saved.exists():
        _POLICY.rename(saved)
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
        if saved.exists():
            saved.rename(_POLICY)


@contextlib.contextmanager
def filling(target: pathlib.Path, content: str) -> Iterator[bool]:
    """Yield whether `target` still has to be filled with `content`.

    A mark is left only after the last step, so that a fetch that was cut off
    is done again from an empty directory.
    """
    mark = target.with_name(target.name + ".complete")
    with locks.held(target.with_name(target.name + ".lock")):
        if mark.exists() and mark.read_text() == content:
            yield False
            return
        mark.unlink(missing_ok=True)
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
        yield True
        mark.write_text(content)


def _run(argv: Sequence[str], refused: str,
         environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    if done.returncode:
        raise Missing(f"{refused}: {telling_line(done.stdout)}")


def telling_line(output: str) -> str:
    """Return the line of a tool's output that says what went wrong."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", output)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    errors = [line for line in lines
              if re.match(r"(\[ERROR\]|E:|ERROR:) *\S", line)]
    return (errors or lines[-1:] or ["it said nothing"])[0][:300]
