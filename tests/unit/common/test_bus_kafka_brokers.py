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

"""What the Kafka drivers check before they ask a broker."""

import unittest

from monasca_events_common.bus import Record
from monasca_events_common.bus.kafka_brokers import check_sizes
from monasca_events_common.errors import TooLarge


class TestCheckSizes(unittest.TestCase):
    def test_headers_count(self):
        record = Record(b"k" * 10, b"v" * 100, {"index": b"x" * 1000})
        check_sizes([record], 1200)
        with self.assertRaises(TooLarge):
            check_sizes([record], 1150)

    def test_the_place_of_a_record_that_is_too_large_is_told(self):
        small = Record(b"k", b"v", {})
        large = Record(b"k", b"v" * 2000, {})
        with self.assertRaisesRegex(TooLarge, "record 2 has 20"):
            check_sizes([small, small, large], 1024)
