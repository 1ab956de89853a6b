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

"""Where webhooks may go."""

import socket
import unittest

from oslo_config import cfg

from monasca_events_common.catalog import targets
from monasca_events_common.errors import Rejected
from tests.unit.common import hostile_urls


def options(**values):
    conf = cfg.ConfigOpts()
    conf.register_opts(targets.OPTS, group=targets.GROUP)
    conf([], project="test", default_config_files=[], default_config_dirs=[])
    for name, value in values.items():
        conf.set_override(name, value, group=targets.GROUP)
    return conf.webhook


class TestParse(unittest.TestCase):

    def test_a_usual_url_comes_in_parts(self):
        for url, parts in (
                ("https://hooks.example.org/a/b?c=d&e",
                 ("https", "hooks.example.org", 443, "/a/b?c=d&e")),
                ("https://Hooks.Example.ORG.", (
                    "https", "hooks.example.org", 443, "/")),
                ("https://a_b.example.org:8443?x", (
                    "https", "a_b.example.org", 8443, "/?x")),
                ("https://xn--bcher-kva.example/", (
                    "https", "xn--bcher-kva.example", 443, "/")),
                ("https://9.9.9.9/", ("https", "9.9.9.9", 443, "/")),
                ("https://[2620:fe::fe]:8443/%7Ex", (
                    "https", "2620:fe::fe", 8443, "/%7Ex"))):
            with self.subTest(url=url):
                found = targets.parse(url, options())
                self.assertEqual(parts, (found.scheme, found.host,
                                         found.port, found.path))

    def test_it_has_one_spelling(self):
        for url, spelling in (
                ("https://A.example:443", "https://a.example/"),
                ("https://a.example:8443/x", "https://a.example:8443/x"),
                ("https://[2620:fe:0::FE]/", "https://[2620:fe::fe]/")):
            found = targets.parse(url, options())
            self.assertEqual(spelling, found.url)
            self.assertEqual(found, targets.parse(found.url, options()))

    def test_every_way_inside_is_refused_in_a_sentence(self):
        """S7"""
        conf = options()
        for url in hostile_urls.REFUSED:
            with self.subTest(url=url):
                with self.assertRaises(Rejected) as caught:
                    targets.parse(url.replace("{port}", "8443"), conf)
                self.assertEqual("invalid_address", caught.exception.code)
                self.assertIn(" ", str(caught.exception))

    def test_what_is_no_text_is_refused(self):
        for url in (None, 1, b"https://example.org/", ["https://a.b/"]):
            with self.assertRaises(Rejected):
                targets.parse(url, options())

    def test_the_operator_may_allow_more(self):
        conf = options(schemes=["http", "https"], ports=[80, 8080])
        self.assertEqual(80, targets.parse("http://a.b/", conf).port)
        self.assertEqual(8080, targets.parse("http://a.b:8080/", conf).port)
        with self.assertRaisesRegex(Rejected, "port 443; expected one of"):
            targets.parse("https://a.b/", conf)


class TestAddresses(unittest.TestCase):

    def test_no_special_address_is_public(self):
        """S7: beyond what Python's is_global knows."""
        for address in hostile_urls.FORBIDDEN_ADDRESSES:
            with self.subTest(address=address):
                self.assertFalse(targets.is_public(address))

    def test_ordinary_addresses_are_public(self):
        for address in ("9.9.9.9", "1.1.1.1", "172.15.0.1", "172.32.0.1",
                        "100.63.0.1", "100.128.0.1", "198.20.0.1",
                        "223.255.255.1", "2620:fe::fe", "2001:4860::8888",
                        "2a00:1450::1", "::ffff:9.9.9.9",
                        "64:ff9b::909:909", "2002:909:909::1"):
            with self.subTest(address=address):
                self.assertTrue(targets.is_public(address))

    def test_what_resolvers_take_for_loopback_is_refused_before_they_do(self):
        """The reason why a host must not end in a number."""
        for text in ("0x7f000001", "2130706433", "017700000001", "127.1"):
            found = {one[4][0] for one in socket.getaddrinfo(text, 443)}
            self.assertEqual({"127.0.0.1"}, found)

    def test_the_operators_networks_are_allowed_and_no_others(self):
        conf = options(allowed_networks=["10.1.2.0/24", "fd00::/64"])
        target = targets.parse("https://a.example/", conf)
        for address, allowed in (
                ("10.1.2.3", True), ("::ffff:10.1.2.3", True),
                ("fd00::1", True), ("10.1.3.1", False),
                ("fd00:1::1", False), ("127.0.0.1", False),
                # It leads elsewhere than to that network's host.
                ("2002:a01:203::1", False), ("9.9.9.9", True), ("x", False)):
            with self.subTest(address=address):
                self.assertEqual(allowed, targets.permits(
                    address, target, conf))
        self.assertEqual("10.1.2.3", targets.parse(
            "https://10.1.2.3/", conf).host)

    def test_an_allowed_host_may_have_any_address(self):
        conf = options(allowed_hosts=["Pager.internal"])
        mine = targets.parse("https://pager.internal/", conf)
        other = targets.parse("https://other.internal/", conf)
        self.assertTrue(targets.permits("127.0.0.1", mine, conf))
        self.assertFalse(targets.permits("127.0.0.1", other, conf))

    def test_a_network_that_is_none_is_a_mistake_of_the_operator(self):
        with self.assertRaises(ValueError):
            options(allowed_networks=["10.1.2.3/8"])
