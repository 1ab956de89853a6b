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

"""What both RabbitMQ sources agree on: options, queues and their arguments.

The names and arguments are those that oslo.messaging uses on the services'
side, so that switching between the sources needs no change of a queue.
"""

from collections.abc import Iterator
import dataclasses
import ssl
from urllib import parse

from oslo_config import cfg

from monasca_events_common.errors import Misconfigured

GROUP = "notifications"

#: The broker must prove who it is.
VERIFY = ssl.CERT_REQUIRED

#: Priorities of notifications; each has a queue of its own.
PRIORITIES = ("audit", "debug", "info", "warn", "error", "critical",
              "sample")

OPTS = [
    cfg.MultiStrOpt("transport_url", default=[], secret=True,
                    help="A RabbitMQ, as oslo.messaging spells it: "
                         "rabbit://USER:PASSWORD@HOST:PORT/VHOST, further "
                         "hosts of the same cluster after a comma. May be "
                         "given several times, for Nova's cells or a broker "
                         "that carries notifications only; all are listened "
                         "to at once."),
    cfg.ListOpt("topics", default=["event_notifications"],
                help="Topics to listen to. They should be the agent's own, "
                     "named in the services' [oslo_messaging_notifications] "
                     "topics beside others': a second consumer of the same "
                     "topic takes half of the first one's messages."),
    cfg.ListOpt("exchanges", default=["openstack"],
                help="Exchanges that the services publish to, the value of "
                     "their control_exchange: nova, cinder, neutron, glance, "
                     "keystone, heat and so on. One that is missing is made."),
    cfg.StrOpt("pool",
               help="Name of a pool of listeners: one queue of that name "
                    "gets a copy of everything, beside the queues that the "
                    "services make. Without it, the services' own queues are "
                    "read."),
    cfg.StrOpt("queue_type", default="durable",
               choices=["durable", "quorum", "transient"],
               help="What the services declare queues as: durable "
                    "(amqp_durable_queues), quorum (rabbit_quorum_queue) or "
                    "transient (neither; a restart of the broker loses what "
                    "is in them)."),
    cfg.IntOpt("prefetch", default=500, min=1,
               help="Messages of one queue in hand and not acknowledged at "
                    "most. That many may come twice when the agent is "
                    "killed; the store knows repeats by their ids."),
    cfg.IntOpt("batch_size", default=500, min=1,
               help="Notifications in one batch, and so in one transaction "
                    "of the spool, at most; never more than half of "
                    "prefetch."),
    cfg.FloatOpt("batch_wait", default=0.02, min=0.001,
                 help="Seconds to wait for a batch to become full."),
    cfg.IntOpt("heartbeat", default=60, min=2,
               help="Seconds after which a broker that says nothing counts "
                    "as gone."),
    cfg.BoolOpt("ssl", default=False,
                help="Whether to connect over TLS. The broker's certificate "
                     "and name are always verified."),
    cfg.StrOpt("ssl_ca_file",
               help="Certificates that the broker's is verified against; the "
                    "system's, if unset."),
    cfg.StrOpt("ssl_cert_file", help="The agent's own certificate."),
    cfg.StrOpt("ssl_key_file", help="The key of that certificate."),
]


def urls(conf) -> list[str]:
    """Return the transport URLs. Raises Misconfigured when there is none."""
    if not conf.transport_url:
        raise Misconfigured(f"[{GROUP}] transport_url names no RabbitMQ; "
                            "expected rabbit://USER:PASSWORD@HOST:PORT/VHOST")
    return list(conf.transport_url)


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A node of a broker's cluster, and who we are there."""

    name: str
    port: int
    user: str
    password: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Broker:
    """What a transport URL says."""

    hosts: tuple[Host, ...]
    vhost: str


def parse_url(url: str) -> Broker:
    """Return the broker of a transport URL as oslo.messaging spells it.

    :raises Misconfigured: it is none; the message does not repeat it, for
        it may hold a password
    """
    found = parse.urlsplit(url)
    try:
        if found.scheme not in ("rabbit", "kombu", "amqp") \
                or not found.netloc:
            raise ValueError("scheme")
        hosts = tuple(map(_host, found.netloc.split(",")))
    except ValueError:
        raise Misconfigured(f"[{GROUP}] transport_url: expected rabbit://"
                            "USER:PASSWORD@HOST:PORT/VHOST") from None
    return Broker(hosts, parse.unquote(found.path[1:]) or "/")


def _host(netloc: str) -> Host:
    one = parse.urlsplit(f"//{netloc}")
    if not one.hostname:
        raise ValueError("no host")
    return Host(one.hostname, one.port or 5672,
                parse.unquote(one.username or "guest"),
                parse.unquote(one.password or "guest"))


def with_settings(url: str, conf) -> str:
    """Return the URL with our settings as its query.

    oslo.messaging reads its options from there too, so each transport has
    its own and no global configuration is touched.
    """
    settings = {"rabbit_qos_prefetch_count": conf.prefetch,
                "amqp_durable_queues": conf.queue_type == "durable",
                "rabbit_quorum_queue": conf.queue_type == "quorum",
                "heartbeat_timeout_threshold": conf.heartbeat}
    if conf.ssl:
        settings.update(ssl=True, ssl_ca_file=ca_file(conf))
        if conf.ssl_cert_file:
            settings.update(ssl_cert_file=conf.ssl_cert_file,
                            ssl_key_file=conf.ssl_key_file or "")
    joint = "&" if "?" in url else "?"
    return url + joint + parse.urlencode(settings)


def ca_file(conf) -> str:
    """Return the file of certificates to verify against.

    Never none: without one, oslo.messaging verifies nothing.
    """
    found = conf.ssl_ca_file or ssl.get_default_verify_paths().cafile
    if not found:
        raise Misconfigured(f"[{GROUP}] ssl_ca_file is not set and the "
                            "system has no file of certificates")
    return found


def queues(conf) -> Iterator[tuple[str, str]]:
    """Yield (queue, routing key) of everything that is listened to."""
    for topic in conf.topics:
        for priority in PRIORITIES:
            key = f"{topic}.{priority}"
            yield conf.pool or key, key


def batch_size(conf) -> int:
    """Return how many messages make a batch.

    At most half the prefetch: while one half is delivered, the broker sends
    the other.
    """
    return max(1, min(conf.batch_size, conf.prefetch // 2))


def arguments(conf) -> dict[str, str]:
    """Return the arguments that a queue is declared with."""
    return {"x-queue-type": "quorum"} if conf.queue_type == "quorum" else {}
