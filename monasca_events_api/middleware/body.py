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

"""Reads a request's body, at most as much as the limit says.

The bytes are counted while they are read, so that a chunked body or a wrong
Content-Length changes nothing, and a compressed body is inflated no further
than the limit. Body and Content-Type are handed on aside of their usual
places: Pecan would parse the body a second time, and forms besides.
"""

import io
import zlib

from monasca_events_api.identity import Application
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import TooLarge

#: Key of the body's bytes in the WSGI environment.
BODY = "monasca_events.body"

#: Key of the Content-Type there.
CONTENT_TYPE = "monasca_events.content_type"

_CHUNK = 64 * 1024


class Body:
    """Puts the body into the environment."""

    def __init__(self, app: Application, limits) -> None:
        """:param limits: the group ``[limits]``, read at each request"""
        self._app = app
        self._limits = limits

    def __call__(self, environ: dict, start_response):
        body = b""
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD", "OPTIONS"):
            limit = self._limits.max_body_bytes
            body = inflate(_read(environ, limit),
                           environ.get("HTTP_CONTENT_ENCODING", ""), limit)
        environ[BODY] = body
        environ["wsgi.input"] = io.BytesIO()
        environ["CONTENT_LENGTH"] = "0"
        environ[CONTENT_TYPE] = environ.pop("CONTENT_TYPE", "")
        try:
            return self._app(environ, start_response)
        finally:
            # A request is part of cycles, and would keep its body until the
            # collector comes by.
            environ[BODY] = b""


def _read(environ: dict, limit: int) -> bytes:
    length = _length(environ)
    if length is not None and length > limit:
        raise _too_large(limit)
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""
    stream = environ["wsgi.input"]
    wanted = limit + 1 if length is None else length
    parts: list[bytes] = []
    while wanted:
        part = stream.read(min(wanted, _CHUNK))
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    body = b"".join(parts)
    if len(body) > limit:
        raise _too_large(limit)
    if length is not None and len(body) < length:
        raise Rejected(f"the body ended after {len(body)} of {length} bytes",
                       code="body_incomplete")
    return body


def _length(environ: dict) -> int | None:
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    # int() would also take signs, spaces and digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Rejected("Content-Length is not a number",
                       code="bad_content_length")
    return int(text)


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body without its content encoding.

    :raises TooLarge: it would become larger than ``limit``
    :raises Rejected: the encoding is unknown or the data is damaged
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise Rejected("the Content-Encoding is not supported; expected gzip "
                       "or none", code="unsupported_encoding")
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise Rejected("the body is not valid gzip",
                       code="bad_encoding") from None
    if len(plain) > limit:
        raise _too_large(limit)
    if not inflater.eof or inflater.unused_data:
        raise Rejected("the body is not one whole gzip member",
                       code="bad_encoding")
    return plain


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body has more than {limit} bytes; send fewer "
                    "events at once", code="body_too_large")
