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

"""How many threads of another's server streams may take; S17."""

import unittest

from monasca_events_api.live.places import spare
from monasca_events_api.live.places import threads_of_server


class PlacesTest(unittest.TestCase):
    """What uwsgi, mod_wsgi and gunicorn tell is in
    tests/integration/test_wsgi_servers.py."""

    def test_requests_keep_what_they_shall_have_or_a_half(self):
        for threads, expected in ((28, 20), (17, 9), (16, 8), (15, 7), (8, 4),
                                  (4, 2), (3, 1), (2, 1), (1, 0)):
            with self.subTest(threads=threads):
                self.assertEqual(expected, spare(threads, 8))

    def test_an_operator_may_leave_requests_less(self):
        self.assertEqual(7, spare(8, 1))

    def test_no_server_tells_here_and_then_it_is_one(self):
        self.assertIsNone(threads_of_server())
        self.assertEqual(1, spare(None, 8))
