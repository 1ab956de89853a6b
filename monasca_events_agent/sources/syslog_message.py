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

"""One syslog message and what it says, as the payload of a notification.

Reads RFC 5424, the older form that RFC 3164 describes, also with the time in
ISO 8601 as rsyslog forwards it, and a JSON object after the cookie ``@cee:``
in either (CEE, as libumberlog and rsyslog write it). Nothing is refused: what
has no readable head is the text of a message of the kind user.notice, as RFC
3164, 4.3.3 asks. Pure.
"""

from collections.abc import Mapping
import dataclasses
import datetime
import re

import orjson

#: RFC 5424, table 1.
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp",
    "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7")

#: RFC 5424, table 2, with the priority that an event of it has.
SEVERITIES = (
    ("emerg", "CRITICAL"), ("alert", "CRITICAL"), ("crit", "CRITICAL"),
    ("err", "ERROR"), ("warning", "WARN"), ("notice", "INFO"),
    ("info", "INFO"), ("debug", "DEBUG"))

#: user.notice, for a message that does not say what it is.
DEFAULT_PRI = 13

_COOKIE = "@cee:"
_PRI = re.compile(r"<(\d{1,3})>")
_TIME = (r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?"
         r"(?:[Zz]|[+-]\d\d:\d\d)")
_NAME = r"[!-~]+"
# PRI and VERSION come before, structured data and MSG after it.
_HEAD = re.compile(rf"(-|{_TIME}) ({_NAME}) ({_NAME}) ({_NAME}) ({_NAME}) ")
_ELEMENT = re.compile(r'\[([^\s=\]"]+)((?: +[^\s=\]"]+="(?:[^"\\]|\\.)*")*)'
                      r' *\]', re.DOTALL)
_PARAMETER = re.compile(r' +([^\s=\]"]+)="((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')

_OLD_HEAD = re.compile(
    r"(?:([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)|"
    rf"({_TIME})) ")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
           "Oct", "Nov", "Dec")
# A tag ends at the first character that no name has, a colon as a rule.
_TAG = re.compile(r"([^\s:\[\]]{1,128})(?:\[([^\]\s]{0,128})\])?: ?")

_REQUEST = re.compile(
    r"\breq-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


@dataclasses.dataclass(slots=True)
class Message:
    """One message, read.

    :ivar facility: a word such as ``auth``
    :ivar severity: a word such as ``err``
    :ivar timestamp: when it was made, as it says; None where it does not
    :ivar text: what it says
    :ivar data: structured data: id of an element → its parameters
    :ivar cee: the JSON object behind ``@cee:``
    """

    facility: str
    severity: str
    priority: str
    text: str
    timestamp: str | None = None
    host: str | None = None
    app: str | None = None
    procid: str | None = None
    msgid: str | None = None
    data: Mapping[str, Mapping[str, str]] = dataclasses.field(
        default_factory=dict)
    cee: Mapping | None = None

    @property
    def payload(self) -> dict:
        """What an event of it has as payload: all that is known, by name."""
        found = {"message": self.text, "facility": self.facility,
                 "severity": self.severity, "hostname": self.host,
                 "app_name": self.app, "procid": self.procid,
                 "msgid": self.msgid, "structured_data": self.data or None,
                 "cee": self.cee, "request_id": self.request_id}
        return {name: value for name, value in found.items()
                if value is not None}

    @property
    def request_id(self) -> str | None:
        """The request of OpenStack during which it was said."""
        said = self.say("request_id")
        if said and _REQUEST.fullmatch(said):
            return said
        found = _REQUEST.search(self.text)
        return found and found.group()

    def say(self, key: str) -> str | None:
        """Return the value of a key of the CEE object, or of a parameter of
        that name in any element of the structured data."""
        for place in (self.cee or {}, *self.data.values()):
            value = place.get(key)
            if value and isinstance(value, str):
                return value
        return None


def read(raw: bytes, now: datetime.datetime) -> Message:
    """Return what a message says. Never raises for what is in it.

    :param raw: one message without its framing
    :param now: aware, in the zone of senders that name none; tells which
        year a time without one is of
    """
    # RFC 5424, 6.4: a byte order mark may stand before UTF-8.
    text = raw.decode("utf-8", "replace").rstrip("\r\n\0")
    pri = _PRI.match(text)
    number = int(pri.group(1)) if pri else DEFAULT_PRI
    if number >= 8 * len(FACILITIES):
        pri, number = None, DEFAULT_PRI
    severity, priority = SEVERITIES[number % 8]
    message = Message(FACILITIES[number // 8], severity, priority, text)
    if pri:
        rest = text[pri.end():]
        if not (rest.startswith("1 ") and _read_new(message, rest[2:])):
            _read_old(message, rest, now)
    _read_cee(message)
    return message


def _read_new(message: Message, rest: str) -> bool:
    """Read RFC 5424 behind its version; return whether it is that."""
    head = _HEAD.match(rest)
    if head is None:
        return False
    place = head.end()
    data: dict[str, dict[str, str]] = {}
    if rest[place:place + 1] == "-":
        place += 1
    else:
        while element := _ELEMENT.match(rest, place):
            data.setdefault(element.group(1), {}).update(
                (name, _ESCAPED.sub(r"\1", value)) for name, value
                in _PARAMETER.findall(element.group(2)))
            place = element.end()
        if not data:
            return False
    if rest[place:place + 1] not in ("", " "):
        return False
    (message.timestamp, message.host, message.app, message.procid,
     message.msgid) = (None if one == "-" else one for one in head.groups())
    message.data = data
    # rsyslog keeps the space that the older form has behind a tag.
    message.text = rest[place + 1:].removeprefix("\ufeff").removeprefix(" ")
    return True


def _read_old(message: Message, rest: str, now: datetime.datetime) -> None:
    """Read what RFC 3164 found in use: time, host and tag, or less."""
    head = _OLD_HEAD.match(rest)
    if head is not None:
        message.timestamp = head.group(6) or _old_time(head, now)
        rest = rest[head.end():]
        # A local socket's messages have no host.
        host, _, behind = rest.partition(" ")
        if behind and not host.endswith(":") and "[" not in host:
            message.host, rest = host, behind
    tag = _TAG.match(rest)
    if tag is not None:
        message.app, message.procid = tag.groups()
        rest = rest[tag.end():]
    message.text = rest


def _old_time(head: re.Match, now: datetime.datetime) -> str | None:
    """Return the time in the year in which it is nearest to now."""
    month, day, hour, minute, second = head.groups()[:5]
    if month not in _MONTHS:
        return None
    found = []
    for year in (now.year - 1, now.year, now.year + 1):
        try:
            found.append(datetime.datetime(
                year, _MONTHS.index(month) + 1, int(day), int(hour),
                int(minute), int(second), tzinfo=now.tzinfo))
        except ValueError:  # such as the 29th of February
            continue
    if not found:
        return None
    return min(found, key=lambda one: abs(one - now)).isoformat()


def _read_cee(message: Message) -> None:
    """Take the object behind the cookie; its ``msg`` is the text."""
    text = message.text.lstrip()
    if not text.startswith(_COOKIE):
        return
    try:
        found = orjson.loads(text[len(_COOKIE):])
    except orjson.JSONDecodeError:
        return
    if not isinstance(found, dict):
        return
    message.cee = found
    for name in ("msg", "message"):
        if isinstance(found.get(name), str):
            message.text = found[name]
            break
