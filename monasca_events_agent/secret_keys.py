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

"""Which keys carry secrets.

The redactor asks a :class:`KeyRules` about every key that it meets, so the
answers are remembered. Nothing here looks at values, with the exception of
:func:`is_context` and :func:`is_catalog`, which recognise a structure that a
key alone does not give away.
"""

from collections.abc import Iterable
import re

from monasca_events_agent import secret_text
from monasca_events_agent.form import Blank
from monasca_events_agent.shape import Shapes

#: What becomes of a key's value.
KEEP, HIDE, REMOVE, CONTEXT, CATALOG, LOOSE, RENAME = range(7)

#: Longest key that enters an event; a longer one is cut and marked.
MAX_KEY = 256

#: Keys of a request context that an event may keep: they are ids.
CONTEXT_IDS = frozenset((
    "request_id", "global_request_id", "project_id", "project", "tenant",
    "tenant_id", "user_id", "user", "domain_id", "domain",
    "project_domain", "project_domain_id"))

# Keys are compared without case and punctuation, so that adminPass,
# admin_pass and X-Admin-Pass are one word.
_PUNCTUATION = re.compile(r"[^a-z0-9]+")

_REMOVED = re.compile(
    r"(?:.*(?:auth|service|subject)token|servicecatalog)\Z")

_SECRET = re.compile(r"""
    passw(?:or)?d | passphrase | passcode | passwort
  | (?:admin|user|root|db|auth|os|console|vnc)pass(?!ed|ive|through)
  | secret | credential | bearer | macaroon | kubeconfig | keyring
  | (?:api|access|private|priv|signing|shared|session|encryption|cipher
      |master|ssl|tls|tempurl|hmac|fernet|account|storage)keys?(?!pair)
  | authkey | tempurlsig | presharedkey
  | userdata | injectedfile | connectioninfo | transporturl
  | (?:database|sql|slave)connection(?!s?(?:recycle|debug|trace|pool))
""", re.VERBOSE)

_SECRET_END = re.compile(r"""
    (?:\A|.*)(?:
        tokens? | tokenid | tokenhash | tokenvalue | trustid | pwd | psk
      | authorization | cookies? | containerrefs? | passkey
    )\Z
  | (?:\A|.*(?<!by)(?<!com))pass\Z
  | (?:pw|blob|blobs|salt|sig|otp|totp|personality|authdata|sessionid)\Z
""", re.VERBOSE)

# What is said about a secret is not the secret: its age, length, kind, name.
_ABOUT = re.compile(r"""
    .*(?:id|ids|uuid|uuids|name|type|length|len|size|count|bits|status
        |state|set|mode|algorithm|format|policy|strategy|enabled|required
        |expires|expiresat|expiry|expiration|ttl|changedat|createdat
        |updatedat|deletedat|validdays|timeout|provider|regex
        |regexdescription|fingerprint)\Z
""", re.VERBOSE)
_NOT_ABOUT = re.compile(r".*(?:token|trust|secret|accesskey|session)ids?\Z")

# Keys that a site gives to its own metadata follow no convention.
_LOOSE = re.compile(r"""
    .*(?:pass(?!ed|ive|through|port)|pwd|token|cred|auth(?!or|ent))
  | .+(?<!public)keys?\Z
""", re.VERBOSE)
_METADATA = frozenset((
    "metadata", "meta", "usermetadata", "systemmetadata", "sysmetadata",
    "origsysmetadata", "volumeimagemetadata", "properties",
    "extraproperties", "labels", "tags", "annotations", "environment",
    "env", "extra"))
_CONTEXTS = frozenset((
    "context", "ctxt", "ctx", "cnxt", "requestcontext", "admincontext"))


class KeyRules:
    """The decisions about keys, each made once and remembered.

    :ivar strict: what to do, by key, in payloads
    :ivar loose: the same for keys that users chose, such as those of metadata
    :ivar shapes: payloads that need nothing by these rules
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        """:param more: keys whose values are secrets here, in any spelling"""
        words = frozenset(map(_squash, more))
        self.strict = _Memo(words, loose=False)
        self.loose = _Memo(words, loose=True)
        self.shapes = Shapes(self.strict, self.loose)

    def hides(self, key: str) -> bool:
        """Return whether the key's value, when it is text, is a secret."""
        return self.strict[key] in (HIDE, REMOVE)

    def hides_anywhere(self, key: str) -> bool:
        """Return the same for text of which nobody knows what is metadata."""
        return self.loose[key] in (HIDE, REMOVE)


class _Memo(dict):
    """Decisions by key; bounded, because senders choose the keys."""

    SIZE = 8192

    def __init__(self, words: frozenset[str], *, loose: bool) -> None:
        super().__init__()
        self._words = words
        self._loose = loose
        self._plain: set[str] = set()

    def __missing__(self, key) -> int:
        if type(key) is not str or len(key) > MAX_KEY:
            return RENAME
        decision = _decide(key, self._words, self._loose)
        if len(self) >= self.SIZE:
            self.clear()
        self[key] = decision
        return decision

    def is_plain(self, key: str, kind: type) -> bool:
        """Return whether every value of this type may stay at the key."""
        decision = self[key]
        if decision is HIDE:
            return kind in (bool, type(None), Blank)
        return decision in (KEEP, LOOSE) \
            or decision is CONTEXT and kind is not dict \
            or decision is CATALOG and kind is not list

    def is_loose(self, key: str) -> bool:
        """Return whether users choose the keys of the object at the key."""
        return self[key] is LOOSE

    def are_plain(self, keys: Iterable[str]) -> bool:
        """Return whether any text may stay at every one of the keys."""
        if self._plain.issuperset(keys):
            return True
        if len(self._plain) >= self.SIZE:
            self._plain.clear()
        for key in keys:
            if type(key) is not str or not self.is_plain(key, str):
                return False
            self._plain.add(key)
        return True


def _decide(key: str, words: frozenset[str], loose: bool) -> int:
    if len(key) >= 16 and secret_text.shaped(key):
        return RENAME
    lower = key.lower()
    if lower == "_context" or lower.startswith("_context_"):
        return KEEP if lower[len("_context_"):] in CONTEXT_IDS else REMOVE
    squashed = _squash(key)
    if squashed in words:
        return HIDE
    if _REMOVED.match(squashed):
        return REMOVE
    if squashed in _CONTEXTS:
        return CONTEXT
    if squashed == "catalog":
        return CATALOG
    if squashed in _METADATA:
        return LOOSE
    if _ABOUT.match(squashed) and not _NOT_ABOUT.match(squashed):
        return KEEP
    if _SECRET.search(squashed) or _SECRET_END.match(squashed) or (
            loose and _LOOSE.match(squashed)):
        return HIDE
    return KEEP


def _squash(key: str) -> str:
    return _PUNCTUATION.sub("", key.lower())


def is_context(value) -> bool:
    """Return whether a value is a service's request context, serialised."""
    return type(value) is dict and (
        "auth_token" in value or "user_identity" in value
        or ("is_admin" in value and "request_id" in value))


def is_catalog(value) -> bool:
    """Return whether a value is a Keystone service catalog."""
    return (type(value) is list and bool(value) and type(value[0]) is dict
            and "endpoints" in value[0])
