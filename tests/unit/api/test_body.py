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

"""Reading a body no further than allowed; S13."""

import io
import types
import unittest

from monasca_events_api.middleware.body import Body
from monasca_events_api.middleware.body import BODY
from monasca_events_common import errors


class Counting(io.BytesIO):
    """A stream that knows how much was read."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


def read(data, limit=1000, **environ):
    stream = Counting(data)
    environ = {"REQUEST_METHOD": "POST", "wsgi.input": stream, **environ}
    seen = {}
    try:
        Body(lambda environ, start: seen.update(environ),
             types.SimpleNamespace(max_body_bytes=limit))(environ, None)
    finally:
        read.taken = stream.taken
    return seen[BODY]


class BodyTest(unittest.TestCase):

    def test_a_body_of_a_known_length(self):
        self.assertEqual(b"abc", read(b"abcdef", CONTENT_LENGTH="3"))

    def test_a_length_over_the_limit_reads_nothing(self):
        with self.assertRaises(errors.TooLarge):
            read(b"a" * 2000, CONTENT_LENGTH="2000")
        self.assertEqual(0, read.taken)

    def test_without_a_length_the_bytes_are_counted(self):
        terminated = {"wsgi.input_terminated": True}
        self.assertEqual(b"a" * 1000, read(b"a" * 1000, **terminated))
        with self.assertRaises(errors.TooLarge):
            read(b"a" * 100_000, **terminated)
        self.assertEqual(1001, read.taken)

    def test_without_a_length_or_an_end_there_is_no_body(self):
        self.assertEqual(b"", read(b"abc"))

    def test_a_body_cut_short_is_refused(self):
        with self.assertRaises(errors.Rejected):
            read(b"abc", CONTENT_LENGTH="5")

    def test_lengths_that_are_none_are_refused(self):
        for text in ("-1", "+3", "3 ", "0x3", "٣", "9" * 30):
            with self.subTest(text=text), self.assertRaises(errors.Rejected):
                read(b"abc", CONTENT_LENGTH=text)

    def test_a_get_has_no_body(self):
        self.assertEqual(b"", read(b"abc", CONTENT_LENGTH="3",
                                   REQUEST_METHOD="GET"))
