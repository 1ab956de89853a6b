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

"""Deletes the queues of a topic: ``queues.py TRANSPORT_URL TOPIC``.

Called by the plug-in's phase ``clean``, in the suite's own environment. A
broker that is down keeps its queues, which is said and no failure.
"""

import sys

import amqp

from monasca_events_agent.sources import rabbit


def main(url: str, topic: str) -> int:
    broker = rabbit.parse_url(url)
    host = broker.hosts[0]
    connection = amqp.Connection(
        f"{host.name}:{host.port}", userid=host.user, password=host.password,
        virtual_host=broker.vhost, connect_timeout=5)
    try:
        connection.connect()
    except (OSError, amqp.AMQPError) as error:
        print(f"RabbitMQ is down and keeps the queues of {topic}: {error}")
        return 0
    with connection:
        for priority in rabbit.PRIORITIES:
            # One that is not there counts as deleted.
            connection.channel().queue_delete(f"{topic}.{priority}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
