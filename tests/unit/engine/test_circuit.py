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

"""The circuit breaker."""

import types
import unittest

from monasca_events_engine import circuit
from monasca_events_engine.circuit import Circuit

CONF = types.SimpleNamespace(breaker_failures=5, breaker_seconds=60.0)


class TestCircuit(unittest.TestCase):

    def after(self, *outcomes: bool) -> Circuit:
        made = Circuit(CONF)
        for worked in outcomes:
            made.succeeded() if worked else made.failed(100.0)
        return made

    def test_it_opens_after_five_failures_in_a_row(self):
        """F20"""
        self.assertEqual(circuit.CLOSED, self.after(*[False] * 4).state(100))
        self.assertEqual(circuit.OPEN, self.after(*[False] * 5).state(100))

    def test_a_success_between_them_counts_from_the_beginning(self):
        self.assertEqual(circuit.CLOSED, self.after(
            *[False] * 4, True, *[False] * 4).state(100))

    def test_it_is_half_open_after_a_minute_and_one_try_decides(self):
        """F20"""
        made = self.after(*[False] * 5)
        self.assertEqual(circuit.OPEN, made.state(159.9))
        self.assertEqual(circuit.HALF_OPEN, made.state(160))
        made.failed(160)
        self.assertEqual(circuit.OPEN, made.state(219.9))
        self.assertEqual(circuit.HALF_OPEN, made.state(220))
        made.succeeded()
        self.assertEqual(circuit.CLOSED, made.state(220))
        self.assertTrue(made.is_calm)
