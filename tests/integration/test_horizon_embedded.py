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

"""The panels on real Horizon, Keystone and Gnocchi; all of ours on SQLite."""

import pathlib
import unittest

from tests.integration import horizons
from tests.integration import panel_details
from tests.integration import panel_journey
from tests.integration import panel_metrics
from tests.integration import panel_operations
from tests.integration import panel_pages
from tests.integration.sites import LiveSite


class TestHorizonEmbedded(panel_journey.JourneyTests,
                          panel_details.DetailTests,
                          panel_pages.PageTests,
                          panel_operations.OperatorTests,
                          panel_metrics.MetricTests, unittest.TestCase):

    kind = "embedded"

    @classmethod
    def make_site(cls, folder: pathlib.Path, extra: str) -> LiveSite:
        return horizons.EmbeddedKeystoneSite(
            folder, extra=extra + cls.alarm_settings()
            + cls.metric_settings())
