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

"""The index: which rules may want an event, without looking at each rule.

Each tenant has an index of its own. Its rules are sorted by the event types
that they accept, and within a type each is anchored on the rarest of its exact
clauses (see the bucket), so that an event meets only the rules that share a
value with it. An index is built whole and never edited; a changed tenant gets
a new one. The idea of anchoring a rule on one of its clauses is that of the
"counting" and "clustering" algorithms of content-based publish/subscribe
(Fabret et al., "Filtering Algorithms and Implementation for Very Fast
Publish/Subscribe Systems", 2001).
"""

from collections.abc import Iterable, Mapping, Sequence

import orjson

from monasca_events_common.bus import Delivery
from monasca_events_common.bus import Record
from monasca_events_common.rules.bucket import Answered
from monasca_events_common.rules.bucket import Bucket
from monasca_events_common.rules.bucket import bucket_of
from monasca_events_common.rules.bucket import EARLIEST
from monasca_events_common.rules.bucket import Hits
from monasca_events_common.rules.bucket import Only
from monasca_events_common.rules.leaf import Leaf
from monasca_events_common.rules.pattern import Pattern
from monasca_events_common.rules.trigger import Rule

#: Event types that are remembered of one tenant. Senders choose the types, so
#: it is bounded; when there are more, that tenant's are looked up anew.
MEMO = 4096

_UNKNOWN = object()

# Stands for every tenant that has no rules of its own.
_OTHERS = b""

# What answers for the events of one type of one tenant.
_Answers = Only | Bucket | Answered | None

# Where the parts of canonical bytes begin that need not be decoded; a string
# before them cannot hold this, for its quotes are escaped.
_TRAITS = b',"traits":{'
_SOURCE = b',"source":'
_SOURCE_AT = EARLIEST["source"]
_ENGINE = b'"engine",'


def decode(record: Record | Delivery,
           rules: Iterable[tuple[Rule, Sequence[str]]]) -> dict:
    """Return as much of an event, decoded, as these rules look at.

    The fields before its traits alone cost a third of all. The first four are
    in the key and the headers as well and cost a tenth.

    :param record: of canonical bytes
    :raises ValueError: they are not canonical
    :raises KeyError: it lacks a header
    """
    value = record.value
    at = value.find(_SOURCE, _SOURCE_AT)
    if at < 0 or value.startswith(_ENGINE, at + len(_SOURCE)):
        # What a rule of ours made says in its marks what led to it.
        return orjson.loads(value)
    needs_head = False
    for rule, _ in rules:
        if rule.needs_all:
            return orjson.loads(value)
        if rule.needs_head or rule.is_ordered:
            needs_head = True
    if needs_head:
        end = value.find(_TRAITS, at)
        return orjson.loads(value[:end] + b"}" if end >= 0 else value)
    headers = record.headers
    return {"event_id": headers["event_id"].decode(),
            "project_id": record.key.decode(),
            "event_type": headers["event_type"].decode(),
            "timestamp": headers["timestamp"].decode()}


class TenantIndex:
    """The rules that one tenant's events may meet."""

    __slots__ = ("key", "rules", "types", "_exact", "_loose")

    def __init__(self, key: bytes, rules: Sequence[Rule]) -> None:
        self.key = key
        self.rules = rules
        self.types: list[bytes] = []  # those that the index remembers
        self._exact: dict[str, list[tuple[Rule, str, Pattern]]] = {}
        self._loose: list[tuple[Rule, str, Pattern]] = []
        for rule in rules:
            for slot, pattern in rule.patterns.items():
                entry = rule, slot, pattern
                leaf = pattern.root.children.get("event_type")
                if isinstance(leaf, Leaf) and leaf.is_exact:
                    for name in leaf.strings:
                        self._exact.setdefault(name, []).append(entry)
                else:
                    self._loose.append(entry)

    def bucket(self, event_type: str) -> Bucket | Answered | None:
        """Return what may want events of this type, None for nothing."""
        return bucket_of([one for one in (*self._exact.get(event_type, ()),
                                           *self._loose)
                           if one[2].accepts_type(event_type)])


class Index:
    """The rules of all tenants, and those that watch every tenant."""

    def __init__(self, rules: Mapping[str, Sequence[Rule]],
                 shared: Sequence[Rule] = (),
                 previous: "Index | None" = None) -> None:
        """:param rules: project id → its rules
        :param shared: rules whose ``project_id`` is None
        :param previous: an index whose unchanged tenants are taken over
        """
        self.shared = tuple(shared)
        same = previous is not None and previous.shared == self.shared
        self._tenants: dict[bytes, TenantIndex] = {
            _OTHERS: previous._tenants[_OTHERS] if same
            else TenantIndex(_OTHERS, self.shared)}
        for project_id, own in rules.items():
            both = (*own, *self.shared)
            key = project_id.encode()
            known = previous._tenants.get(key) if previous else None
            self._tenants[key] = (known if known and known.rules == both
                                  else TenantIndex(key, both))
        # Event type → key → bucket: of a few types most hold for everyone.
        self._buckets: dict[bytes, dict[bytes, _Answers]] = {}
        if same:
            self._take_over(previous)

    def _take_over(self, previous: "Index") -> None:
        kept = {key for key, tenant in self._tenants.items()
                if previous._tenants.get(key) is tenant}
        for event_type, buckets in previous._buckets.items():
            self._buckets[event_type] = {
                key: bucket for key, bucket in buckets.items() if key in kept}

    def find(self, key: bytes, event_type: bytes, value: bytes
             ) -> Hits | None:
        """Return the rules that want an event, None where none does.

        :param key: the project id, as the bus record's key
        :param event_type: as in its header
        :param value: its canonical bytes
        :raises ValueError: it might be wanted, but is not JSON; where the
            type says all, that is found out by :func:`decode`
        """
        buckets = self._buckets.get(event_type)
        bucket = buckets.get(key, _UNKNOWN) if buckets else _UNKNOWN
        if bucket is _UNKNOWN:
            bucket = self._bucket(key if key in self._tenants else _OTHERS,
                                  event_type)
        if bucket is None:
            return None
        if type(bucket) is not Only:
            return bucket.find(value)
        # Spelt out: most decisions are made here.
        token, start, fence, table, whole = bucket
        at = value.find(token, start)
        if at < 0:
            return None
        begin = at + len(token)
        raw = value[begin:value.find(b'"', begin)]
        found = table.get(raw)
        if type(found) is tuple:
            # Only now is it worth knowing whether this was the field.
            return found if value.find(fence, start, at) < 0 else None
        if found is None and raw[-1:] != b"\\":
            return None
        return whole.find(value)

    def _bucket(self, key: bytes, event_type: bytes) -> _Answers:
        buckets = self._buckets.setdefault(event_type, {})
        bucket = buckets.get(key, _UNKNOWN)
        if bucket is not _UNKNOWN:
            return bucket
        tenant = self._tenants[key]
        # One object for a tenant, whatever the record's own is.
        key = tenant.key
        if len(tenant.types) >= MEMO:
            for one in tenant.types:
                self._forget(key, one)
            tenant.types.clear()
        tenant.types.append(event_type)
        bucket = tenant.bucket(event_type.decode(errors="replace"))
        if type(bucket) is Bucket and bucket.only:
            bucket = bucket.only
        self._buckets.setdefault(event_type, {})[key] = bucket
        return bucket

    def _forget(self, key: bytes, event_type: bytes) -> None:
        buckets = self._buckets[event_type]
        buckets.pop(key, None)
        if not buckets:
            del self._buckets[event_type]
