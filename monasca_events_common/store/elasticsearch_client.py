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

"""The Elasticsearch store's connection: the client and what its errors mean.

Nothing here knows of events. The client is made once for each store, safe to
use from several threads, and connects when it is first used.
"""

from collections.abc import Iterator
import contextlib
import logging
import os

import elasticsearch
import orjson

from monasca_events_common.errors import EventsError
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import StoreUnavailable

LOG = logging.getLogger(__name__)


class _Json(elasticsearch.serializer.CompatibilityModeJsonSerializer):
    """The client's JSON, read by orjson: four times as fast."""

    def json_loads(self, data: bytes):
        return orjson.loads(data)


class _Lines(elasticsearch.serializer.NdjsonSerializer):
    """A bulk request's body that is bytes already goes out without a copy."""

    def dumps(self, data) -> bytes:
        return data if isinstance(data, (bytes, bytearray)) \
            else super().dumps(data)


def client(conf) -> elasticsearch.Elasticsearch:
    """Return a client made of the options; raise Misconfigured."""
    options: dict = {}
    if conf.api_key and conf.username:
        raise Misconfigured("[elasticsearch] has both api_key and username; "
                            "only one can be used")
    if conf.api_key:
        options["api_key"] = conf.api_key
    if conf.username:
        options["basic_auth"] = (conf.username, conf.password or "")
    if any(host.startswith("https:") for host in conf.hosts):
        options["verify_certs"] = conf.verify
        if conf.ca_file:
            if not os.access(conf.ca_file, os.R_OK):
                raise Misconfigured(f"[elasticsearch] ca_file "
                                    f"{conf.ca_file!r} cannot be read")
            options["ca_certs"] = conf.ca_file
        if not conf.verify:
            options["ssl_show_warn"] = False
            LOG.warning("[elasticsearch] verify is off: whoever is between "
                        "this service and Elasticsearch can read and forge "
                        "events")
    try:
        return elasticsearch.Elasticsearch(
            list(conf.hosts), request_timeout=conf.timeout,
            max_retries=conf.max_retries, retry_on_timeout=False,
            # Overload is met with patience here, not with haste there.
            retry_on_status=(),
            serializers={_Json.mimetype: _Json(),
                         _Lines.mimetype: _Lines()}, **options)
    except (ValueError, OSError) as error:
        raise Misconfigured(f"[elasticsearch] hosts or ca_file cannot be "
                            f"used: {error}") from None


@contextlib.contextmanager
def errors_told(changing: bool) -> Iterator[None]:
    """Turn the client's errors into this project's.

    :param changing: the call changes something. Then a refusal is never the
        sender's fault: that of one document is told by its own answer.
    """
    try:
        yield
    except elasticsearch.ApiError as error:
        if error.status_code == 400 and not changing:
            raise _refused(error) from None
        raise StoreUnavailable(
            f"Elasticsearch answers {error.error} "
            f"(status {error.status_code})") from error
    except (elasticsearch.TransportError,
            elasticsearch.SerializationError) as error:
        raise StoreUnavailable("Elasticsearch cannot be reached: "
                               f"{type(error).__name__}") from error


def too_costly(seconds: float) -> Rejected:
    """Return the error of a query that ran out of time."""
    return Rejected(f"the query took more than {seconds} s; narrow it by "
                    "time or by another term", code="query_too_costly")


def _refused(error: elasticsearch.ApiError) -> EventsError:
    """Return what a refused request means: it costs too much, or it is bad."""
    if "too_many_buckets_exception" in _causes(error.body):
        return Rejected("there are too many buckets and groups; narrow the "
                        "query or widen the interval",
                        code="query_too_costly")
    return Rejected(f"Elasticsearch refuses the query: {error.error}",
                    code="invalid_query")


def _causes(body) -> set[str]:
    """Return the types of all causes that an error's body names."""
    found: set[str] = set()
    level = [body]
    while level:
        part = level.pop()
        if isinstance(part, dict):
            if isinstance(part.get("type"), str):
                found.add(part["type"])
            level += part.values()
        elif isinstance(part, list):
            level += part
    return found
