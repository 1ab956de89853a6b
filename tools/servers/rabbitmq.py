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

"""RabbitMQ: one node with its own epmd, away from the system's broker."""

import pathlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Instance, Launch, NotReady, Server
from servers import probes
from servers import sources

# Not the wrapper of the same name in /usr/sbin, which switches the user.
_PROGRAMS = "/usr/lib/rabbitmq/bin"
_METHOD_FRAME = 1
_FRAME_END = b"\xce"


class Rabbitmq(Server):
    """Settings are lines of rabbitmq.conf."""

    name = "rabbitmq"
    port_names = ("client", "epmd", "distribution")

    def fetch(self, cache: pathlib.Path) -> None:
        sources.debian("rabbitmq-server", f"{_PROGRAMS}/rabbitmq-server")

    def prepare(self, instance: Instance) -> None:
        home = instance.directory
        for name in ("data", "logs"):
            (home / name).mkdir(exist_ok=True)
        (home / "rabbitmq.conf").write_text(render(instance))
        (home / "rabbitmq-env.conf").write_text("")
        (home / "enabled_plugins").write_text("[].\n")
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(instance.secret)
            cookie.chmod(0o400)

    def launches(self, instance: Instance) -> Sequence[Launch]:
        # epmd is started here, not by Erlang on its own, so that it is
        # recorded and stopped like everything else.
        epmd = Launch("epmd", ["epmd", "-address", HOST, "-port",
                               str(instance.ports["epmd"])])
        broker = Launch("rabbitmq", [f"{_PROGRAMS}/rabbitmq-server"],
                        environment(instance))
        return [epmd, broker]

    def probe(self, instance: Instance) -> None:
        with probes.connected(instance.port) as peer:
            peer.sendall(b"AMQP\x00\x00\x09\x01")
            _expect(peer, 10, 10)
            peer.sendall(start_ok("guest", "guest"))
            _expect(peer, 10, 30)

    def describe(self, instance: Instance) -> dict[str, Any]:
        address = f"guest:guest@{HOST}:{instance.port}/"
        return {"url": f"amqp://{address}",
                "transport_url": f"rabbit://{address}",
                "username": "guest", "password": "guest", "vhost": "/",
                "node": _node(instance),
                "ctl": {"argv": [f"{_PROGRAMS}/rabbitmqctl"],
                        "env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                "LANG": "C.UTF-8", **environment(instance)}}}


def render(instance: Instance) -> str:
    """Return rabbitmq.conf."""
    options: Mapping[str, str] = {
        "listeners.tcp.1": f"{HOST}:{instance.port}",
        "log.console": "true",
        "log.file": "false",
        **instance.settings}
    return "".join(f"{key} = {value}\n" for key, value in options.items())


def environment(instance: Instance) -> dict[str, str]:
    """Return the variables that the broker and its tools agree on."""
    home = instance.directory
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    return {
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": str(instance.ports["epmd"]),
        "RABBITMQ_NODENAME": _node(instance),
        "RABBITMQ_DIST_PORT": str(instance.ports["distribution"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
        "RABBITMQ_CTL_ERL_ARGS": loopback,
        # An empty file keeps the system's one from being read.
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "logs"),
        "RABBITMQ_PID_FILE": str(home / "rabbitmq.pid")}


def start_ok(user: str, password: str) -> bytes:
    """Return the frame with which a client logs in."""
    response = f"\0{user}\0{password}".encode()
    arguments = (struct.pack(">i", 0) + _short("PLAIN")
                 + struct.pack(">i", len(response)) + response
                 + _short("en_US"))
    payload = struct.pack(">hh", 10, 11) + arguments
    return (struct.pack(">bhi", _METHOD_FRAME, 0, len(payload)) + payload
            + _FRAME_END)


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _expect(peer: Any, wanted_class: int, wanted_method: int) -> None:
    kind, _channel, size = struct.unpack(">bhi", probes.exactly(peer, 7))
    payload = probes.exactly(peer, size + 1)
    if (kind != _METHOD_FRAME or struct.unpack_from(">hh", payload)
            != (wanted_class, wanted_method)):
        raise NotReady("the broker refused the AMQP handshake")


def _node(instance: Instance) -> str:
    return f"monasca-events-{instance.port}@localhost"
