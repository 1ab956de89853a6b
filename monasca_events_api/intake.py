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

"""Chooses the form of a POST by its content type."""

from email.message import Message

from monasca_events_api import ingest
from monasca_events_api.inputs import body as bodies
from monasca_events_api.inputs import cadf
from monasca_events_api.inputs import cloudevents
from monasca_events_common.errors import Rejected


def open_batch(environ: dict, content_type: str,
               body: bytes) -> ingest.Batch:
    """Return the events of a request's body.

    :param environ: of the request, for headers of CloudEvents
    :raises Rejected: there is no such form, or the body is not of it
    """
    if cloudevents.is_binary(environ):
        media_type = content_type.partition(";")[0].strip().lower()
        return ingest.Batch([cloudevents.of_headers(
            environ, media_type, body)], cloudevents.fields)
    media_type = _media_type(content_type)
    if media_type in ("application/json", cadf.MEDIA_TYPE):
        return ingest.open_json(body)
    if media_type == cloudevents.STRUCTURED:
        return ingest.Batch([bodies.decode(body)], cloudevents.fields)
    if media_type == cloudevents.BATCH:
        return ingest.Batch(_array(bodies.decode(body)), cloudevents.fields)
    raise _unsupported(media_type)


def _array(content) -> list:
    if type(content) is not list or not content:
        raise Rejected("the body is not an array of CloudEvents",
                       code="no_events")
    return content


def _media_type(text: str) -> str:
    """Return the media type; JSON has no other charset than UTF-8."""
    if not text.strip():
        raise Rejected("there is no Content-Type; expected application/json",
                       code="content_type_missing")
    header = Message()
    header["Content-Type"] = text
    charset = str(header.get_param("charset", "utf-8")).lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise _unsupported(text)
    return text.partition(";")[0].strip().lower()


def _unsupported(media_type: str) -> Rejected:
    return Rejected(f"the Content-Type {media_type[:80]!r} is not supported; "
                    "expected application/json, application/cloudevents+json "
                    "or application/cloudevents-batch+json",
                    code="unsupported_media_type")
