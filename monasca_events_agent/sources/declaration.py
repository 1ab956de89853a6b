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

"""Exchanges, queues and bindings as oslo.messaging declares them, by py-amqp.

Careful with what others own: an exchange that exists is taken as it is, and a
queue that was declared otherwise too, because a service that finds them
changed cannot send any more.
"""

import logging

import amqp
from amqp import exceptions

from monasca_events_agent.sources import rabbit

LOG = logging.getLogger(__name__)


def consume(connection: amqp.Connection, conf) -> amqp.Channel:
    """Declare everything and start consumers; return their channel.

    The consumers are started without waiting for an answer, so that nothing
    is read from the socket after the first of them.

    :param conf: an option group with :data:`rabbit.OPTS`
    """
    durable = conf.queue_type != "transient"
    channel = connection.channel()
    for exchange in conf.exchanges:
        channel = _exchange(connection, channel, exchange, durable)
    names = []
    for queue, key in rabbit.queues(conf):
        if queue not in names:
            names.append(queue)
            channel = _queue(connection, channel, queue, durable,
                             rabbit.arguments(conf))
        for exchange in conf.exchanges:
            channel.queue_bind(queue, exchange, key)
    # Per consumer, as quorum queues know no other limit.
    channel.basic_qos(0, conf.prefetch, False)
    for number, queue in enumerate(names):
        channel.basic_consume(queue, consumer_tag=str(number), nowait=True)
    return channel


def _exchange(connection: amqp.Connection, channel: amqp.Channel, name: str,
              durable: bool) -> amqp.Channel:
    try:
        channel.exchange_declare(name, "topic", passive=True)
    except exceptions.NotFound:
        # A channel is closed by the error that it reports.
        channel = connection.channel()
        channel.exchange_declare(name, "topic", durable=durable,
                                 auto_delete=False)
    return channel


def _queue(connection: amqp.Connection, channel: amqp.Channel, name: str,
           durable: bool, arguments: dict) -> amqp.Channel:
    try:
        channel.queue_declare(name, durable=durable, auto_delete=False,
                              arguments=arguments)
    except exceptions.PreconditionFailed as error:
        LOG.warning("the queue %s was declared otherwise and is read as it "
                    "is; see [notifications] queue_type: %s", name,
                    error.reply_text)
        channel = connection.channel()
        channel.queue_declare(name, passive=True)
    return channel
