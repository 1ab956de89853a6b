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

"""The Elasticsearch store's index template: mapping, settings and version.

Pure. The template is ours and carries a version; an older one is replaced,
a newer one is left alone, so that two releases can run side by side. A new
version adds to the mapping and never changes a field's type: indices that
exist keep the mapping that they were made with.
"""

from collections.abc import Mapping

from monasca_events_common import query

#: Raise it with every change of what this file returns.
VERSION = 1

OWNER = "monasca-events"

# Longer values are kept and shown but not searchable; Lucene's longest term
# is 32,766 bytes, a character at most 4.
_KEYWORD = {"type": "keyword", "ignore_above": 8191}

_STORED_ONLY = {"type": "object", "enabled": False}


def template(prefix: str, shards: int, replicas: int,
             refresh_interval: str) -> dict:
    """Return the composable template of all our indices."""
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": 300,
        "version": VERSION,
        "_meta": {"owner": OWNER},
        "template": {
            "settings": {"number_of_shards": shards,
                         "number_of_replicas": replicas,
                         "refresh_interval": refresh_interval},
            "mappings": mappings()}}


def mappings() -> dict:
    """Return the mapping of an index.

    Nothing of an event's free parts is mapped, whatever its shape: no tenant
    can clash with another's types or fill the mapping. What is searched in
    them stands in ``index``, which the driver adds and takes off again.
    Elasticsearch could leave it out of the stored source, but that costs a
    fifth of the rate of writing and, until segments merge, more room.
    """
    properties: dict = {name: dict(_KEYWORD) for name in query.FIELDS}
    properties["event_type"] = {"type": "text",
                                "fields": {"keyword": dict(_KEYWORD)}}
    properties.update({name: dict(_STORED_ONLY) for name in
                       ("traits", "dimensions", "payload", "marks")})
    properties.update({
        "project_id": dict(_KEYWORD),
        # Microseconds: a plain date would cut them off.
        "timestamp": {"type": "date_nanos"},
        "received_at": {"type": "date_nanos", "ignore_malformed": True},
        # For readers of the retired service's indices.
        "@timestamp": {"type": "alias", "path": "timestamp"},
        "index": {"properties": {
            "project": {"type": "keyword"},
            "words": {"type": "keyword", "doc_values": False,
                      "ignore_above": 1024},
            "traits": dict(_KEYWORD),
            "trait_types": dict(_KEYWORD),
            "dimensions": dict(_KEYWORD)}}})
    return {"dynamic": False, "_meta": {"owner": OWNER, "version": VERSION},
            "properties": properties}


def is_ours(found: Mapping) -> bool:
    """Whether a mapping or template was made by us."""
    meta = found.get("_meta")
    return isinstance(meta, Mapping) and meta.get("owner") == OWNER


def is_older(found: Mapping) -> bool:
    """Whether a template that exists has to be replaced by ours."""
    version = found.get("version")
    return not is_ours(found) or not isinstance(version, int) \
        or version < VERSION
