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

"""What tools/test.sh and tools/standalone.sh say where something is missing.

Each test has a copy of the scripts, a PATH with nothing on it but what the
scripts themselves call, and a Python that is a shell script, so that nothing
is installed and no service starts.
"""

import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]

#: What the scripts are made of, and what they are told to install.
_COPIED = ("tools/test.sh", "tools/standalone.sh", "tools/venv.sh",
           "setup.cfg", "requirements.txt", "constraints.txt",
           "test-requirements.txt")

#: Programs that any machine has.
_PROGRAMS = ("bash", "cat", "chmod", "cut", "dirname", "git", "id", "mkdir",
             "realpath", "sed", "sha256sum")

#: A Python that has everything: it makes environments whose Python is itself
#: and tells what it was asked to run.
_WHOLE = """#!/bin/sh
case "$*" in
    --version) echo "Python 3.11.2";;
    *"version_info"*) exit 0;;
    *"import venv"*) exit 0;;
    "-m venv "*) mkdir -p "$3/bin" && cat "$0" >"$3/bin/python"
        cat "$0" >"$3/bin/monasca-events-standalone"
        chmod +x "$3"/bin/*;;
    *"pip install"*) exit 0;;
    *) echo "ran $*";;
esac
"""


class ScriptTest(unittest.TestCase):

    def setUp(self):
        super().setUp()
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.project = pathlib.Path(holder.name, "project")
        self.bin = pathlib.Path(holder.name, "bin")
        self.bin.mkdir()
        for name in _COPIED:
            copy = self.project / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
        for name in _PROGRAMS:
            (self.bin / name).symlink_to(shutil.which(name))
        self.provide("java", "mvn", "rabbitmqctl", "mariadbd")
        self.python = self.bin / "python3"
        self.write(_WHOLE)

    def provide(self, *names: str) -> None:
        for name in names:
            (self.bin / name).symlink_to("/bin/true")

    def write(self, text: str) -> None:
        self.python.write_text(text)
        self.python.chmod(stat.S_IRWXU)

    def run_script(self, name: str, *arguments: str,
                   **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(self.bin / "bash"), str(self.project / "tools" / name),
             *arguments], capture_output=True, text=True, timeout=60,
            check=False, cwd=self.bin,
            env={"PATH": str(self.bin), **environment})

    def refused(self, name: str, **environment: str) -> str:
        """Return the one line that the script says before it gives up."""
        done = self.run_script(name, **environment)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        line, = done.stderr.splitlines()
        self.assertEqual([], list(self.project.glob(".venv*/stamp")))
        return line

    def said(self, **environment: str) -> list[str]:
        """Return what test.sh says on its way to the tests."""
        done = self.run_script("test.sh", "unit", **environment)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual("ran tools/run_tests.py unit\n", done.stdout)
        return [line for line in done.stderr.splitlines()
                if not line.startswith("Making the virtual environment")]


class TestPython(ScriptTest):
    """Both scripts need one that is new enough and can make environments."""

    scripts = ("test.sh", "standalone.sh")

    def test_no_python_is_told_in_one_line(self):
        self.python.unlink()
        for script in self.scripts:
            self.assertRegex(self.refused(script),
                             r"no python3 here; install Python 3\.11")

    def test_an_old_python_is_told_in_one_line_with_its_version(self):
        self.write(_WHOLE.replace("3.11.2", "3.9.2").replace(
            '"version_info"*) exit 0', '"version_info"*) exit 1'))
        for script in self.scripts:
            self.assertRegex(self.refused(script),
                             r"Python 3\.9\.2 is too old; 3\.11 or newer")

    def test_no_venv_module_is_told_in_one_line_with_its_package(self):
        self.write(_WHOLE.replace(
            '"import venv"*) exit 0',
            '"import venv"*) echo "Traceback" >&2; exit 1'))
        for script in self.scripts:
            self.assertRegex(self.refused(script),
                             r"no venv module; .*python3-venv")

    def test_another_python_can_be_chosen(self):
        other = self.python.with_name("other-python")
        self.python.rename(other)
        self.assertRegex(self.refused("test.sh", PYTHON="/no/python"),
                         "no /no/python here")
        self.assertEqual([], self.said(PYTHON=str(other)))

    def test_what_could_not_be_installed_is_tried_again(self):
        whole = self.python.read_text()
        self.write(whole.replace('install"*) exit 0',
                                 'install"*) echo "no index" >&2; exit 1'))
        done = self.run_script("test.sh")
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, "no index\nerror: pip could not")
        self.write(whole)
        self.assertEqual([], self.said())

    def test_an_environment_is_made_once_and_again_when_needs_change(self):
        def makes() -> bool:
            return "Making the virtual" in self.run_script("test.sh").stderr
        self.assertEqual([True, False], [makes(), makes()])
        with open(self.project / "test-requirements.txt", "a") as file:
            file.write("another\n")
        self.assertEqual([True, False], [makes(), makes()])


class TestServersTools(ScriptTest):
    """test.sh goes on without them, and says so."""

    def test_everything_there_is_nothing_to_say(self):
        self.assertEqual([], self.said())

    def test_no_java_is_told_in_one_line(self):
        (self.bin / "java").unlink()
        line, = self.said()
        self.assertRegex(line, "^missing: java; .*Java 17.*openjdk-17")
        self.assertNotIn("mvn", line)

    def test_java_may_be_where_java_home_says(self):
        home = self.project / "jdk"
        (home / "bin").mkdir(parents=True)
        (self.bin / "java").rename(home / "bin/java")
        self.assertEqual([], self.said(JAVA_HOME=str(home)))
        line, = self.said(JAVA_HOME=str(self.project))
        self.assertRegex(line, "^missing: java")

    def test_neither_java_nor_maven_is_one_line_too(self):
        for name in ("java", "mvn"):
            (self.bin / name).unlink()
        line, = self.said()
        self.assertRegex(line, "^missing: java mvn; ")

    def test_who_is_not_root_is_told_what_root_has_to_install(self):
        script = self.project / "tools/test.sh"
        script.write_text(script.read_text().replace(
            ":/usr/sbin:/sbin", f":{self.project}"))
        (self.bin / "id").unlink()
        (self.bin / "id").write_text("#!/bin/sh\necho 1000\n")
        (self.bin / "id").chmod(stat.S_IRWXU)
        self.assertEqual([], self.said())
        (self.bin / "mariadbd").rename(self.project / "mariadbd")
        self.assertEqual([], self.said())
        (self.project / "mariadbd").unlink()
        line, = self.said()
        self.assertRegex(line, "^missing: mariadb-server; .*root")


class TestArguments(ScriptTest):
    """standalone.sh hands on what is not for itself."""

    def ran(self, *arguments: str) -> str:
        done = self.run_script("standalone.sh", *arguments)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout.strip()

    def test_the_demonstration_runs_unless_it_is_not_wanted(self):
        self.assertEqual("ran --demo", self.ran())
        self.assertEqual("ran", self.ran("--no-demo"))
        self.assertEqual("ran --demo --port 7000", self.ran("--port", "7000"))

    def test_a_state_folder_is_where_the_caller_stands(self):
        self.assertEqual(f"ran --state-dir={self.bin}/here",
                         self.ran("--no-demo", "--state-dir", "here"))
        done = self.run_script("standalone.sh", "--state-dir")
        self.assertEqual((2, "error: --state-dir needs a folder\n"),
                         (done.returncode, done.stderr))

    def test_help_is_shown_and_nothing_is_made(self):
        for script in ("standalone.sh", "test.sh"):
            done = self.run_script(script, "--help")
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertIn(f"tools/{script}", done.stdout)
            self.assertNotIn("#", done.stdout)
        self.assertEqual([], list(self.project.glob(".venv*")))


if __name__ == "__main__":
    unittest.main()
