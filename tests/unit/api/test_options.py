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

"""Options and the command."""

import socket
import unittest

from monasca_events_api import command
from monasca_events_api import options
from monasca_events_common.errors import Misconfigured


class OptionsTest(unittest.TestCase):

    def test_every_option_says_what_it_does(self):
        found = options.list_opts()
        self.assertIn("identity_local", [group for group, _ in found])
        for group, opts in found:
            if group == "keystone_authtoken":
                continue  # keystonemiddleware's words
            for opt in opts:
                with self.subTest(option=f"{group}.{opt.name}"):
                    self.assertTrue(opt.help.endswith("."), opt.help)

    def test_limits_can_be_changed_while_running(self):
        for opt in (*options.LIMITS_OPTS, *options.INGEST_OPTS,
                    *options.QUOTAS_OPTS, *options.RULES_OPTS):
            self.assertTrue(opt.mutable, opt.name)


class CommandTest(unittest.TestCase):

    def test_an_address_in_use_is_the_operators_to_mend(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with self.assertRaises(Misconfigured):
                command.listen("127.0.0.1", taken.getsockname()[1], 1)

    def test_the_socket_listens_before_there_are_workers(self):
        with command.listen("127.0.0.1", 0, 1) as sock:
            with socket.create_connection(sock.getsockname(), timeout=5):
                pass
