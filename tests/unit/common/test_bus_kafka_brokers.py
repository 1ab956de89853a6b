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

import configparser
import pathlib
import unittest

import crc32c
from kafka.record import default_records
from kafka.record import util

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


class TestChecksums(unittest.TestCase):
    """Without the package kafka-python sums up each batch in Python."""

    def test_the_compiled_package_makes_and_checks_the_sums_of_batches(self):
        self.assertIs(util.calc_crc32c, default_records.calc_crc32c)
        chosen, = util.calc_crc32c.__defaults__
        self.assertIs(crc32c.crc32c, chosen)
        # CRC-32C's check value.
        self.assertEqual(0xE3069283, util.calc_crc32c(
            memoryview(b"123456789")))

    def test_whoever_installs_the_driver_gets_the_package(self):
        found = configparser.ConfigParser()
        found.read(pathlib.Path(__file__).parents[3] / "setup.cfg")
        self.assertRegex(found["extras"]["kafka"], "(?m)^crc32c>=")
