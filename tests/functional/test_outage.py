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

"""The API's behaviour while a part is down, as ``gabbits/outage`` says it.

As test_gabbi they run unchanged against a live service, the one whose part
MONASCA_EVENTS_TEST_DOWN names.
"""

from tests.functional import test_gabbi


def load_tests(loader, tests, pattern):
    return test_gabbi.load(loader, __name__, "gabbits", "outage")
