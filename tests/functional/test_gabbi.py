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

"""The API's behaviour, as the YAML files in ``gabbits`` say it.

With MONASCA_EVENTS_TEST_URL in the environment they run unchanged against
that service; MONASCA_EVENTS_TEST_TOKEN_READER, _MEMBER, _MANAGER, _ADMIN,
_SERVICE, _NO_ROLE and _FOREIGN_MEMBER name tokens there and
MONASCA_EVENTS_TEST_PROJECT and _FOREIGN_PROJECT the projects of the first
three and of the last.
"""

import os

from gabbi import driver

from tests.functional import fixtures
from tests.functional import service


def load(loader, name: str, *folder: str):
    """Return the tests of a folder's YAML files.

    :param name: the module's that has them
    :param folder: its place below this one
    """
    service.set_environment()
    where = ({"url": os.environ[service.PREFIX + "URL"]}
             if service.is_live()
             else {"host": None, "intercept": fixtures.application})
    return driver.build_tests(
        os.path.join(os.path.dirname(__file__), *folder), loader,
        fixture_module=fixtures, test_loader_name=name, **where)


def load_tests(loader, tests, pattern):
    return load(loader, __name__, "gabbits")
