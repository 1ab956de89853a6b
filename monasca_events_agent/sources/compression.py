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

"""Bodies that the services compress (``kombu_compression``). No I/O."""

import bz2
import zlib

#: Bytes of a body at most, however small it came.
MAX_BODY = 16 * 1024 ** 2

# Where kombu puts it: the header "compression" among the properties.
_HEADER = b"compression"


def opened(properties: bytes, body: bytes) -> bytes:
    """Return the body as it was before it was compressed.

    What cannot be decompressed, or is larger than MAX_BODY, comes back as it
    is; it will not be JSON, and the dead letters keep it.
    """
    if _HEADER not in properties:
        return body
    try:
        if b"application/x-bz2" in properties:
            tool = bz2.BZ2Decompressor()
            found = tool.decompress(body, MAX_BODY)
        elif b"application/x-gzip" in properties:
            tool = zlib.decompressobj()
            found = tool.decompress(body, MAX_BODY)
        else:
            return body
    except (OSError, EOFError, zlib.error):
        return body
    return found if tool.eof else body
