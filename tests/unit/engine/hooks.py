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

"""What the tests of webhooks share: an action that may go to loopback."""

import pathlib
import socket
import tempfile
import unittest

from oslo_config import cfg

from monasca_events_common.catalog import signing
from monasca_events_engine.actions.webhook import Webhook
from tests.integration.authority import Authority
from tests.unit.engine.outgoing import delivery
from tests.unit.engine.outgoing import parts
from tests.unit.engine.receiver import Receiver

HOST = "hooks.example.org"

KEYS = tuple(signing.make_key().text for _ in range(2))


def answers(**names):
    """Return a lookup: name → addresses, as ``getaddrinfo`` gives them.

    A name with a list of lists has another answer each time.
    """
    names = {name.replace("_", "."): found for name, found in names.items()}

    def look_up(host, port, **_options):
        found = names.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        if isinstance(found[0], list):
            found = found.pop(0)
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET,
                 socket.SOCK_STREAM, 6, "", (one, port)) for one in found]
    return look_up


class WebhookCase(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.authority = Authority(pathlib.Path(folder.name))
        cls.pair = cls.authority.sign(HOST)

    def receiver(self, *arguments, plain: bool = False, pair=None, **options
                 ) -> Receiver:
        tls = None if plain else self.authority.server(pair or self.pair)
        made = Receiver(*arguments, tls=tls, **options)
        self.addCleanup(made.close)
        return made

    def webhook(self, *ports: int, lookup=None, **values) -> Webhook:
        """Return an action that may go to loopback unless told otherwise."""
        conf = cfg.ConfigOpts()
        conf.register_opts(Webhook.OPTS, group=Webhook.GROUP)
        conf([], project="test", default_config_files=[],
             default_config_dirs=[])
        for name, value in {
                "ports": [*ports, 443], "ca_file": str(self.authority.file),
                "allowed_networks": ["127.0.0.0/8"], **values}.items():
            conf.set_override(name, value, group=Webhook.GROUP)
        made = Webhook(conf.webhook, parts(),
                       lookup or answers(**{HOST: ["127.0.0.1"]}))
        self.addCleanup(made.close)
        return made

    def call(self, action: Webhook, url: str, **fields) -> dict:
        return action.execute(delivery(**{
            "method": {"address": url, "settings": {}}, "secrets": KEYS,
            **fields}))
