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

from gabbi import fixture

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
