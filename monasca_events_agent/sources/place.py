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

"""A place in a file that may be rotated meanwhile: the file source's
bookmark."""

import dataclasses
import json
import os
from typing import BinaryIO
import zlib

# Bytes at a file's beginning by which it is told from one that got its inode.
_HEAD = 512


@dataclasses.dataclass(slots=True)
class Place:
    """How far which file was read.

    :ivar head: how many bytes of the beginning ``crc`` is of
    """

    inode: int = 0
    offset: int = 0
    head: int = 0
    crc: int = 0

    @classmethod
    def nowhere(cls) -> "Place":
        """Return the place of one who has read nothing."""
        return cls()

    @classmethod
    def parse(cls, text: str | None) -> "Place":
        """Return what ``str`` wrote; nowhere for what it did not write."""
        try:
            return cls(*json.loads(text or "[]"))
        except (ValueError, TypeError):
            return cls()

    @classmethod
    def start(cls, file: BinaryIO) -> "Place":
        """Return the beginning of an open file."""
        return cls(inode=os.fstat(file.fileno()).st_ino)

    def __str__(self) -> str:
        return json.dumps(dataclasses.astuple(self))

    def look(self, file: BinaryIO) -> None:
        """Remember the beginning of the file, as far as it was read."""
        head = min(self.offset, _HEAD)
        if head > self.head:
            self.head, self.crc = head, _crc(file, head)

    def is_in(self, file: BinaryIO) -> bool:
        """Return whether the open file is the one, and as long at least."""
        found = os.fstat(file.fileno())
        return (found.st_ino == self.inode and found.st_size >= self.offset
                and (not self.head or _crc(file, self.head) == self.crc))


def find_rotated(path: str, place: Place) -> str | None:
    """Return the path that a file was renamed to while nobody looked.

    Only names that begin like the old one, in the same directory, are looked
    at: ``events.json.1``, ``events.json-20260131``.
    """
    if not place.inode or not place.offset:
        return None
    try:
        if os.stat(path).st_ino == place.inode:
            return None
    except FileNotFoundError:
        pass
    name = os.path.basename(path)
    with os.scandir(os.path.dirname(path)) as entries:
        for entry in entries:
            if entry.name.startswith(name) and entry.name != name \
                    and entry.is_file() and entry.inode() == place.inode:
                return entry.path
    return None


def _crc(file: BinaryIO, length: int) -> int:
    file.seek(0)
    return zlib.crc32(file.read(length))
