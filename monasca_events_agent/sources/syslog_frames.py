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

"""Messages in a stream of bytes, as RFC 6587 frames them.

A length in front (3.4.1), or behind it a line's end or, as Python's
SysLogHandler has it, a zero byte (3.4.2); each message says by its first byte
which it is, so that a connection may mix them.
"""

from collections.abc import Iterator
import re

# Digits of a length; more is no length.
_DIGITS = 10
_END = re.compile(rb"[\n\0]")


class Frames:
    """Parts one connection's bytes. What is too long is cut, not refused,
    as RFC 5424, 6.1 asks."""

    def __init__(self, most: int) -> None:
        """:param most: bytes of a message at most"""
        self._most = most
        self._bytes = bytearray()
        # Of a message that was cut: bytes still to be left out, or whether
        # all until the line's end is.
        self._left_out = 0
        self._line_left_out = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield each message that is whole now, and whether it was cut."""
        self._bytes += data
        while self._bytes:
            if self._left_out or self._line_left_out:
                if not self._leave_out():
                    return
                continue
            found = self._next()
            if found is None:
                return
            if found[0].strip():
                yield found

    def end(self) -> Iterator[tuple[bytes, bool]]:
        """Yield what lacks its end when the connection has ended."""
        rest = bytes(self._bytes)
        self._bytes.clear()
        if rest.strip() and not (self._left_out or self._line_left_out):
            counted = _length(rest)
            yield rest[counted[1] if counted else 0:], counted is not None

    def _leave_out(self) -> bool:
        """Drop what belongs to a cut message; return whether all is."""
        if self._left_out:
            gone = min(self._left_out, len(self._bytes))
            self._left_out -= gone
            del self._bytes[:gone]
            return not self._left_out
        end = _END.search(self._bytes)
        if end is None:
            self._bytes.clear()
            return False
        del self._bytes[:end.end()]
        self._line_left_out = False
        return True

    def _next(self) -> tuple[bytes, bool] | None:
        counted = _length(self._bytes)
        if counted is None:
            if self._bytes.isdigit() and len(self._bytes) <= _DIGITS:
                return None  # the length itself is not whole yet
            return self._line()
        length, begin = counted
        wanted = min(length, self._most)
        if len(self._bytes) - begin < wanted:
            return None
        message = bytes(self._bytes[begin:begin + wanted])
        del self._bytes[:begin + wanted]
        self._left_out = length - wanted
        return message, length > wanted

    def _line(self) -> tuple[bytes, bool] | None:
        end = _END.search(self._bytes, 0, self._most + 1)
        if end is not None:
            message = bytes(self._bytes[:end.start()])
            del self._bytes[:end.end()]
            return message, False
        if len(self._bytes) <= self._most:
            return None
        message = bytes(self._bytes[:self._most])
        del self._bytes[:self._most]
        self._line_left_out = True
        return message, True


def _length(data: bytes) -> tuple[int, int] | None:
    """Return the length in front, and where the message begins."""
    space = data.find(b" ", 0, _DIGITS + 1)
    # Zero in front is no length, nor is a line that begins with a number:
    # what follows a length is a message, which begins with its PRI.
    if space <= 0 or data[:1] == b"0" or not data[:space].isdigit():
        return None
    if len(data) > space + 1 and data[space + 1:space + 2] != b"<":
        return None
    return int(data[:space]), space + 1
