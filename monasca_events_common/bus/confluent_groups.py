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


"""How consumer groups stand, by confluent-kafka's admin client."""

from collections.abc import Iterable, Sequence

import confluent_kafka
from confluent_kafka import admin as confluent_admin
from confluent_kafka import TopicPartition

from monasca_events_common.bus import Group
from monasca_events_common.bus import Member


def describe(admin: confluent_admin.AdminClient, topic: str,
             names: Sequence[str], timeout: float) -> list[Group]:
    """Return how groups stand. Raises KafkaException."""
    partitions = sorted(admin.list_topics(
        topic, timeout=timeout).topics[topic].partitions)
    places = [TopicPartition(topic, one) for one in partitions]
    oldest, ends = (
        {place.partition: future.result().offset for place, future
         in admin.list_offsets(dict.fromkeys(places, spec),
                               request_timeout=timeout).items()}
        for spec in (confluent_admin.OffsetSpec.earliest(),
                     confluent_admin.OffsetSpec.latest()))
    groups = admin.describe_consumer_groups(list(names),
                                            request_timeout=timeout)
    found = []
    for name in names:
        committed = admin.list_consumer_group_offsets(
            [confluent_kafka.ConsumerGroupTopicPartitions(name, places)],
            request_timeout=timeout)[name].result()
        positions = {one.partition: one.offset
                     for one in committed.topic_partitions
                     if one.offset >= 0}
        found.append(Group(
            name, list(_members(groups[name].result(), topic)),
            {partition: max(0, ends[partition] - max(
                oldest[partition], positions.get(partition, 0)))
             for partition in partitions}))
    return found


def _members(group, topic: str) -> Iterable[Member]:
    for one in group.members:
        yield Member(one.member_id, one.host.lstrip("/"), sorted(
            place.partition for place in one.assignment.topic_partitions
            if place.topic == topic))
