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

"""gabbi's fixtures: one embedded service for each YAML file."""

import os
import sqlite3
import unittest
import uuid

from gabbi import fixture

from monasca_events_common.deadletters import DeadLetter

from tests.functional import service

_RUNNING: list[service.Service] = []


def application():
    """Return what calls the application of the service that is running.

    gabbi asks for it when it reads the files, before any fixture starts.
    """
    return lambda *call: _RUNNING[-1].application(*call)


class Embedded(fixture.GabbiFixture):
    """Starts a service, unless the tests go against a live one."""

    def start_fixture(self):
        if not service.is_live():
            _RUNNING.append(service.Service())

    def stop_fixture(self):
        if not service.is_live():
            _RUNNING.pop().close()


def letter(**others) -> DeadLetter:
    """Return a dead letter of its own."""
    return DeadLetter(**{
        "stage": "persister", "code": "forged_record", "error": "Rejected",
        "reason": "the record's body is not the event of its headers",
        "position": f"monevents/0/{uuid.uuid4()}", "raw": b"\xff\x00{}",
        "project_id": service.PROJECT, **others})


class Letters(Embedded):
    """Starts a service that has three dead letters."""

    def start_fixture(self):
        if service.is_live():
            raise unittest.SkipTest("a live service has letters of its own")
        super().start_fixture()
        _RUNNING[-1].parts.dead_letters.put([
            letter(), letter(stage="agent", code="not_json", project_id=None,
                             position="notification/0", raw=b"{"),
            letter(project_id=service.FOREIGN, raw=b"x" * 1000)],
            "2026-11-25T12:00:00.000000Z")


class Outage(Embedded):
    """A service of which one part is down, from before the first request.

    :cvar part: a live service has to be one whose administrator says with
        MONASCA_EVENTS_TEST_DOWN that this is down
    """

    part: str

    def start_fixture(self):
        if not service.is_live():
            self.break_part()
        elif os.environ.get(service.PREFIX + "DOWN") != self.part:
            raise unittest.SkipTest(f"this service's {self.part} is up")

    def break_part(self) -> None:
        """Start a service in this process and take the part away from it."""
        raise NotImplementedError


class BusDown(Outage):
    """Another process holds the log's file and does not let it go."""

    part = "bus"

    def break_part(self):
        _RUNNING.append(service.Service(pump=False, settings={
            "sqlite_bus__publish_timeout": "0.3"}))
        self._other = sqlite3.connect(
            _RUNNING[-1].parts.conf.sqlite_bus.path, isolation_level=None)
        self._other.execute("BEGIN EXCLUSIVE")

    def stop_fixture(self):
        if not service.is_live():
            self._other.close()
        super().stop_fixture()


class StoreDown(Outage):
    """Something else has taken the place of the store's file."""

    part = "store"

    def break_part(self):
        _RUNNING.append(service.Service(pump=False))
        path = _RUNNING[-1].parts.conf.sqlite_store.path
        os.remove(path)
        os.mkdir(path)
