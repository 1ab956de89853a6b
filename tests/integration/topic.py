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

"""What is on an embedded bus, seen from outside every daemon."""

import pathlib
import uuid

from monasca_events_common import bus
from monasca_events_common import config
from monasca_events_common.errors import BusUnavailable
from tests.integration.daemons import NotYet
from tests.integration.daemons import wait_for


class _Alone(bus.Watcher):
    def assigned(self, partitions):
        """All partitions are ours."""

    def revoked(self, partitions):
        """Nobody takes them."""


def records(path: pathlib.Path) -> list[bytes]:
    """Return the value of every record on the bus, in order.

    :param path: a daemon's configuration file
    """
    conf = config.load(["--config-file", str(path)], "test")
    with_bus = bus.get_bus(conf)
    try:
        subscription = with_bus.subscribe(conf.bus.topic, uuid.uuid4().hex,
                                          _Alone())
        found: list[bytes] = []
        # The first turn may only join the group.
        wait_for("the bus is read", lambda: _all(subscription, found))
        subscription.close()
        return found
    finally:
        with_bus.close()


def _all(subscription: bus.Subscription, found: list[bytes]) -> bool:
    try:
        while batch := subscription.poll(1000, 0.05):
            found += [one.value for one in batch]
            subscription.commit({one.partition: one.offset + 1
                                 for one in batch})
        return not any(subscription.lag().values())
    except BusUnavailable as error:
        raise NotYet(str(error)) from error
