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

"""The WSGI application under gunicorn, uwsgi and Apache, as documented.

The first two come from PyPI into a virtual environment in the cache, never
into the project's own; Apache and mod_wsgi are Debian's, run by hand with a
configuration of their own.
"""

from collections.abc import Iterator
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

import httpx
import requests

from monasca_events_standalone.layout import Layout
from tests.cache import CACHE
from tests.functional.test_stream import Reader
from tests.integration import topic
from tests.integration.daemons import children
from tests.integration.daemons import wait_for
from tests.integration.sites import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The tool that fetches is no part of the installed packages.
sys.path.insert(0, str(ROOT / "tools"))

from servers import accounts  # noqa: E402
from servers import Missing  # noqa: E402
from servers import sources  # noqa: E402

GUNICORN, UWSGI = "gunicorn==27.0.1", "uwsgi==2.0.31"

APPLICATION = "monasca_events_api.wsgi:application"

#: Accounts of two projects.
_NAMES = ("demo-reader", "alt-reader")

APACHE = pathlib.Path("/usr/sbin/apache2")
MODULES = pathlib.Path("/usr/lib/apache2/modules")

_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"

#: The part in the middle is that of doc/source/admin/api.rst.
_APACHE = """
ServerRoot {home}
ServerName localhost
DefaultRuntimeDir {home}
PidFile {home}/apache.pid
ErrorLog {home}/apache.log
Listen {address}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {home}/wsgi
<Directory />
    Require all denied
</Directory>

WSGIDaemonProcess monasca-events processes=2 threads=4 \\
    display-name=%{{GROUP}} home={home} python-path={path}
WSGIProcessGroup monasca-events
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {package}/wsgi.py
WSGIChunkedRequest On
<Directory {package}>
    Require all granted
</Directory>
"""


@contextlib.contextmanager
def wanted() -> Iterator[None]:
    """Skip the test where something cannot be had; fail it with CI=true."""
    try:
        yield
    except Missing as missing:
        if os.environ.get("CI") == "true":
            raise AssertionError(str(missing)) from None
        raise unittest.SkipTest(str(missing)) from None


def fetched(requirement: str) -> pathlib.Path:
    """Return the virtual environment that has a server.

    :raises unittest.SkipTest: it cannot be had on this machine
    """
    # Each Python has its own: uwsgi is compiled against one.
    target = CACHE / f"{requirement.replace('==', '-')}-python{_PYTHON}"
    with wanted():
        sources.virtualenv(target, [requirement])
    return target


def python_path() -> str:
    """Return where a Python that knows nothing of ours finds everything."""
    return os.pathsep.join([str(ROOT), *(
        one for one in sys.path if one.endswith("site-packages"))])


class _Server:
    """The tests; each server inherits them."""

    requirement = ""

    #: What the configuration says besides.
    settings = "[live]\nheartbeat = 0.5\n"

    @classmethod
    def setUpClass(cls):
        cls.server = fetched(cls.requirement)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="monasca-events-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.layout = Layout(self.home / "state", free_port())
        self.layout.prepare()
        self.layout.configure()
        with open(self.layout.config, "a", encoding="utf-8") as file:
            file.write(self.settings)
        self.url = self.layout.url
        self.start()
        self.tokens = {one["name"]: one["token"] for one in json.loads(
            self.layout.tokens.read_text())["accounts"]}
        self.token = self.tokens["demo-member"]

    def command(self) -> list[str]:
        """Return the command line of the server with two workers."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Return what is added to the server's environment."""
        return {}

    def start(self):
        with open(self.home / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, cwd=self.home,
                env={**os.environ, **self.environment()})
        self.addCleanup(self.stop)
        try:
            wait_for("the server answers", self.answers)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}") from None

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}")
        try:
            return self.get("/").status_code == 200
        except requests.RequestException:
            return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        return (self.home / "server.log").read_text(errors="replace")

    def get(self, path, **headers):
        return requests.get(self.url + path, headers=headers, timeout=60)

    def post(self, *marks, session=requests, **arguments):
        """Post events whose payloads carry these marks."""
        body = {"events": [{"event_type": "a.b", "payload": {"mark": mark}}
                           for mark in marks]}
        arguments.setdefault("data", json.dumps(body))
        return session.post(
            f"{self.url}/v1.0/events", timeout=60, headers={
                "X-Auth-Token": self.token,
                "Content-Type": "application/json"}, **arguments)

    def published(self):
        """Return the marks of all that is on the bus."""
        return [json.loads(one)["payload"]["mark"]
                for one in topic.records(self.layout.config)]

    def test_versions_health_and_events_are_served(self):
        versions = self.get("/")
        self.assertEqual(200, versions.status_code)
        self.assertEqual(["v1.0"], [one["id"] for one in
                                    versions.json()["versions"]])
        health = self.get("/healthcheck")
        self.assertEqual((200, True), (health.status_code,
                                       health.json()["healthy"]))
        answer = self.post("one", "two")
        self.assertEqual((202, 2), (answer.status_code,
                                    answer.json()["accepted"]))
        self.assertEqual(["one", "two"], self.published())
        self.assertEqual(401, self.get("/v1.0/events").status_code)
        listed = self.get("/v1.0/events", **{"X-Auth-Token": self.token})
        self.assertEqual(200, listed.status_code)
        missing = self.get("/nowhere", **{"X-Auth-Token": self.token})
        self.assertEqual((404, "not_found"), (
            missing.status_code, missing.json()["errors"][0]["code"]))

    def chunked(self, parts):
        """Post a body without a Content-Length."""
        return self.post(data=iter(parts))

    def test_a_body_too_large_is_413(self):
        answer = self.post(data=b" " * 1100_000)
        self.assertEqual(413, answer.status_code, answer.text)
        self.assertEqual("body_too_large",
                         answer.json()["errors"][0]["code"])

    def test_what_it_makes_is_for_its_user_alone(self):
        self.post("one")
        for path in self.layout.root.glob("*.db*"):
            self.assertEqual(0, path.stat().st_mode & 0o077, path.name)

    def test_what_was_accepted_survives_the_kill_of_a_worker(self):
        """F2"""
        accepted: list[str] = []
        ended = threading.Event()

        def load(sender: int) -> None:
            number = 0
            with requests.Session() as session:
                while not ended.is_set():
                    marks = [f"{sender}-{number}-{part}" for part in range(5)]
                    number += 1
                    try:
                        answer = self.post(*marks, session=session)
                    except requests.RequestException:
                        continue
                    if answer.status_code == 202:
                        accepted.extend(marks)
        threads = [threading.Thread(target=load, args=(sender,))
                   for sender in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _turn in range(4):
                self.kill_one(accepted)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        there = self.published()
        self.assertEqual(set(), set(accepted) - set(there))
        self.assertEqual(202, self.post("after").status_code)

    def test_streams_leave_threads_to_requests(self):
        """S17: a half of them here, and half of those to one project."""
        with httpx.Client(timeout=60) as client:
            with contextlib.ExitStack() as stack:
                readers = self.fill(client, stack)
                # Each worker has two streams on four threads.
                self.assertEqual(0, sum(
                    self.open(client, stack, name) is not None
                    for _ in range(8) for name in _NAMES))
                with concurrent.futures.ThreadPoolExecutor(8) as posters:
                    statuses = [one.status_code for one in posters.map(
                        self.post, map(str, range(24)))]
                self.assertEqual([202] * 24, statuses)
                self.assertEqual(200, self.get("/v1.0/events", **{
                    "X-Auth-Token": self.token}).status_code)
                for name, reader in readers:
                    if name == "demo-reader":
                        self.assertEqual(
                            {str(n) for n in range(24)},
                            {self.next_event(reader)["payload"]["mark"]
                             for _ in range(24)})
            # Their clients are gone: others find a place.
            with contextlib.ExitStack() as stack:
                self.fill(client, stack)

    def fill(self, client, stack) -> list[tuple[str, Reader]]:
        """Return a stream for each place of two workers, with its account.

        Which worker takes a connection is the kernel's choice.
        """
        readers: list[tuple[str, Reader]] = []
        names = itertools.cycle(_NAMES)

        def full() -> bool:
            name = next(names)
            if reader := self.open(client, stack, name):
                readers.append((name, reader))
            return len(readers) == 4
        wait_for("each worker has its streams", full)
        self.assertEqual(2, sum(name == _NAMES[0] for name, _ in readers))
        return readers

    def open(self, client, stack, name: str) -> Reader | None:
        """Return what reads a new stream, None where there is no place."""
        with contextlib.ExitStack() as opened:
            answer = opened.enter_context(client.stream(
                "GET", f"{self.url}/v1.0/events/stream",
                # The next one shall not go to the same worker.
                headers={"X-Auth-Token": self.tokens[name],
                         "Connection": "close"}))
            if answer.status_code == 200:
                reader = Reader(answer)
                # It flows before it ends, and before anything happens.
                self.assertEqual("1000", reader.message()["retry"])
                stack.enter_context(opened.pop_all())
                return reader
            answer.read()
        self.assertEqual((503, "too_many_streams"), (
            answer.status_code, answer.json()["errors"][0]["code"]))
        self.assertIn("retry-after", answer.headers)
        return None

    def next_event(self, reader: Reader) -> dict:
        """Return the next event of a stream that beats meanwhile."""
        def found() -> dict | None:
            fields = reader.message()
            self.assertIsNotNone(fields, "the stream ended")
            return json.loads(fields["data"]) if "data" in fields else None
        return wait_for("an event comes on the stream", found, every=0)

    def kill_one(self, accepted):
        """SIGKILL a worker once some events more are accepted."""
        before = len(accepted)
        wait_for("events are accepted", lambda: len(accepted) > before + 50)
        victim = self.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_for("it is replaced", lambda: len(
            set(self.workers()) - {victim}) == 2)

    def workers(self):
        return children(self.process.pid)


class _Chunked:
    """Of servers that read a body whose length is not told beforehand."""

    def test_a_chunked_body_is_read(self):
        body = json.dumps({"events": [{
            "event_type": "a.b", "payload": {"mark": "chunked"}}]}).encode()
        answer = self.chunked([body[:7], body[7:]])
        self.assertEqual(202, answer.status_code, answer.text)
        self.assertEqual(["chunked"], self.published())

    def test_a_chunked_body_too_large_is_413(self):
        answer = self.chunked([b" " * 1000] * 1100)
        self.assertEqual(413, answer.status_code, answer.text)


class TestGunicorn(_Server, _Chunked, unittest.TestCase):

    requirement = GUNICORN
    settings = _Server.settings + "server_threads = 4\n"

    def command(self):
        return [str(self.server / "bin/gunicorn"), "--workers", "2",
                "--threads", "4", "--bind", self.url.removeprefix("http://"),
                "--worker-tmp-dir", str(self.home), APPLICATION]

    def environment(self):
        return {"PYTHONPATH": python_path(),
                "MONASCA_EVENTS_CONFIG": str(self.layout.config)}


class TestUwsgi(_Server, unittest.TestCase):
    """With the settings of etc/monasca-events-api-uwsgi.ini.sample."""

    requirement = UWSGI

    def command(self):
        return [str(self.server / "bin/uwsgi"), "--home", sys.prefix,
                "--master", "--processes", "2", "--threads", "4",
                "--http-socket", self.url.removeprefix("http://"),
                "--module", APPLICATION, "--lazy-apps", "--need-app",
                "--die-on-term",
                "--env", f"MONASCA_EVENTS_CONFIG={self.layout.config}"]

    def stop(self):
        # A worker that is told to end while it imports may not notice.
        wait_for("the workers have loaded", lambda: all(
            f"pid: {pid} (default app)" in self.log()
            for pid in self.workers()))
        super().stop()

    def test_a_chunked_body_is_not_taken_for_an_empty_batch(self):
        """uwsgi hands none on; the sender is told so."""
        answer = self.chunked([b'{"events": [{"event_type": "a.b"}]}'])
        self.assertEqual(400, answer.status_code, answer.text)
        self.assertEqual([], self.published())


class TestApache(_Server, _Chunked, unittest.TestCase):
    """mod_wsgi in daemon mode."""

    @classmethod
    def setUpClass(cls):
        with wanted():
            accounts.needed("apache2")
            sources.debian("apache2", str(APACHE))
            module = MODULES / "mod_wsgi.so"
            sources.debian("libapache2-mod-wsgi-py3", str(module))
            if not module.resolve().name.endswith(f"-{_PYTHON}"):
                raise Missing(f"{module.resolve().name} is not of the Python "
                              f"{_PYTHON} that runs the tests")

    def command(self):
        file = self.home / "apache.conf"
        file.write_text(_APACHE.format(
            home=self.home, modules=MODULES, path=python_path(),
            address=self.url.removeprefix("http://"),
            package=ROOT / "monasca_events_api"))
        accounts.give(self.home)
        return accounts.without_root(
            [str(APACHE), "-f", str(file), "-D", "FOREGROUND"],
            [self.home, ROOT, pathlib.Path(sys.prefix)])

    def environment(self):
        return {"MONASCA_EVENTS_CONFIG": str(self.layout.config)}

    def log(self):
        return super().log() + "".join(
            one.read_text(errors="replace")
            for one in self.home.glob("apache.log"))

    def workers(self):
        found = []
        for pid in super().workers():
            # One may end between being listed and being looked at.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if b"(wsgi:monasca" in pathlib.Path(
                        f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found


if __name__ == "__main__":
    unittest.main()
