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


"""How consumer groups stand, by kafka-python's admin client."""

from collections.abc import Iterable, Sequence

import kafka
from kafka.admin import OffsetSpec
from kafka.structs import TopicPartition

from monasca_events_common.bus import Group
from monasca_events_common.bus import Member


def describe(admin: kafka.KafkaAdminClient, topic: str, names: Sequence[str]
             ) -> list[Group]:
    """Return how groups stand. Raises KafkaError."""
    described, = admin.describe_topics([topic])
    places = [TopicPartition(topic, one["partition_index"])
              for one in described["partitions"]]
    oldest, ends = (
        {place.partition: found.offset for place, found
         in admin.list_partition_offsets(
             dict.fromkeys(places, spec)).items()}
        for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))
    groups = admin.describe_groups(names)
    found = []
    for name in names:
        # One at a time: brokers before Kafka 3 know no more.
        committed = admin.list_group_offsets({name: places}).get(name, {})
        positions = {place.partition: one.offset for place, one
                     in committed.items() if one.offset >= 0}
        found.append(Group(
            name, list(_members(groups.get(name, {}), topic)),
            {partition: max(0, end - max(
                oldest[partition], positions.get(partition, 0)))
             for partition, end in sorted(ends.items())}))
    return found


def _members(group: dict, topic: str) -> Iterable[Member]:
    for one in group.get("members", ()):
        assignment = one["member_assignment"]
        # Text where it is empty, or of a protocol that is not known.
        parts = assignment["assigned_partitions"] \
            if type(assignment) is dict else ()
        yield Member(one["member_id"], one["client_host"].lstrip("/"), sorted(
            partition for part in parts if part["topic"] == topic
            for partition in part["partitions"]))
