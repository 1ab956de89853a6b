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


"""What the persister's command arranges before it starts."""

import unittest

from monasca_events_common import config
from monasca_events_persister import command
from monasca_events_persister import options
from monasca_events_persister import retention


class TestPeriod(unittest.TestCase):

    def period(self, text: str) -> str:
        conf = config.load(["--config-file", "/dev/null"], "x",
                           options.groups())
        conf.set_override("driver", "elasticsearch", group="store")
        conf.set_override("days", int(text), group="retention")
        command.suit_period(conf)
        return conf.elasticsearch.period

    def test_the_period_follows_the_retention(self):
        # T23: a week of data has daily indices, a year monthly ones
        for days, period in (("7", "day"), ("60", "week"), ("366", "month"),
                             ("3660", "year")):
            with self.subTest(days=days):
                self.assertEqual(period, self.period(days))
                self.assertEqual(period, retention.period(int(days)))

    def test_a_store_without_periods_is_left_alone(self):
        conf = config.load(["--config-file", "/dev/null"], "x",
                           options.groups())
        command.suit_period(conf)
        self.assertNotIn("elasticsearch", conf)
