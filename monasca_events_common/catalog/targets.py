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

"""Where webhooks may go: the checks of a URL and of an address.

The API asks :func:`parse` when a notification method is written, the
engine asks it again before it sends, and :func:`permits` for every address
that the name has then. Nothing here resolves or connects.

A tenant chooses the URL, and the engine stands inside the operator's network.
So addresses that are not those of the public internet are refused, in every
spelling and wrapping, unless the operator listed them. Python's ``is_global``
does not suffice: 3.11 calls NAT64 and 6to4 forms of private addresses, some
special blocks and multicast global.
"""

import dataclasses
import ipaddress
import re
import urllib.parse

from oslo_config import cfg
from oslo_config import types

from monasca_events_common.errors import Rejected

GROUP = "webhook"


OPTS = [
    cfg.ListOpt("schemes", default=["https"], mutable=True,
                item_type=types.String(choices=["https", "http"]),
                help="What a webhook's URL may begin with. With http, "
                     "whatever lies between reads the events."),
    cfg.ListOpt("ports", default=[443, 8443], mutable=True,
                item_type=types.Port(),
                help="Ports that a webhook's URL may name."),
    cfg.ListOpt("allowed_networks", default=[], mutable=True,
                item_type=ipaddress.ip_network,
                help="Networks, such as 10.1.2.0/24, to which webhooks may "
                     "go although their addresses are not public. Every "
                     "tenant may use them."),
    cfg.ListOpt("allowed_hosts", default=[], mutable=True,
                item_type=str.lower,
                help="Host names to which webhooks may go whatever addresses "
                     "they have, such as those of receivers of the operator. "
                     "Every tenant may use them."),
]

#: Characters of a URL.
MAX_URL = 2048

_PRINTABLE = re.compile(r"[\x21-\x5b\x5d-\x7e]+\Z")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
# What resolvers take for a part of an IPv4 address: 127, 0x7f, 017700000001.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's registries of special-purpose addresses (RFC 6890 and its updates)
# and multicast. Blocks among them that are reachable (AS112, relays of 6to4)
# are refused with the rest: no receiver lives there.
_REFUSED_V4 = tuple(map(ipaddress.IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")))

# All public IPv6 addresses are given from here, but for these parts.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(map(ipaddress.IPv6Network, (
    "2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")))

# Forms of IPv6 that lead to an IPv4 address, and where that begins in them,
# in bits from the right.
_MAPPED = (ipaddress.IPv6Network("::ffff:0:0/96"), 0)
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), 0)
_SIX_TO_FOUR = (ipaddress.IPv6Network("2002::/16"), 80)


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked, in parts.

    :ivar scheme: ``https`` or ``http``
    :ivar host: a name in lower case, or an address without brackets
    :ivar port: also where the URL names none
    :ivar path: path and query, beginning with ``/``
    :ivar address: the address where the host is one, else None
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def place(self) -> str:
        """Host and port, for people and as a key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The one spelling of the URL."""
        usual = {"https": ":443", "http": ":80"}[self.scheme]
        return (f"{self.scheme}://{self.place.removesuffix(usual)}"
                f"{self.path}")


def parse(url: str, conf) -> Target:
    """Return the parts of a webhook's URL.

    :param conf: the option group ``[webhook]``
    :raises Rejected: webhooks may not go there; the sentence says why and
        what is expected
    """
    try:
        return _parse(url, conf)
    except ValueError as error:
        raise Rejected(str(error), code="invalid_address",
                       where="address") from None


def _parse(url: str, conf) -> Target:
    if type(url) is not str or len(url) > MAX_URL \
            or not _PRINTABLE.match(url):
        # urlsplit drops line breaks and tabs in silence, so it comes later.
        raise ValueError(
            f"the URL is not 1 to {MAX_URL} printable ASCII characters "
            "without blanks and backslashes; expected others "
            "percent-encoded, and names in their form with xn--")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in conf.schemes:
        raise ValueError(f"the URL begins with {parts.scheme[:32]!r}; "
                         f"expected {' or '.join(conf.schemes)}")
    if "@" in parts.netloc or "#" in url:
        raise ValueError("the URL has a user, a password or a fragment; "
                         "expected none")
    port = parts.port
    if port is None:
        port = {"https": 443, "http": 80}[parts.scheme]
    if port not in conf.ports:
        raise ValueError(f"the URL names port {port}; expected one of "
                         f"{', '.join(map(str, conf.ports))}")
    host, address = _host(parts.hostname or "")
    path = parts.path or "/"
    found = Target(parts.scheme, host, port,
                   f"{path}?{parts.query}" if parts.query else path, address)
    if address is not None and not permits(address, found, conf):
        raise ValueError(f"the URL's address {host} is not public; expected "
                         "one that everybody can reach")
    return found


def _host(text: str) -> tuple[str, Address | None]:
    """Return the host in its one spelling, and its address if it is one."""
    address = _address(text)
    if address is not None:
        return str(address), address
    host = text.removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.match(one) for one in labels):
        raise ValueError(f"the URL's host {text[:64]!r} is neither a name "
                         "nor an address")
    if _NUMBER.match(labels[-1]):
        # Resolvers read 0x7f000001, 2130706433 and 127.1 as addresses.
        raise ValueError(f"the URL's host {text[:64]!r} ends in a number; "
                         "expected addresses as four decimal numbers")
    if labels[-1] == "localhost":
        raise ValueError("the URL's host is this machine itself; expected "
                         "a receiver that everybody can reach")
    return host, None


def _address(value: str | Address) -> Address | None:
    if not isinstance(value, str):
        return value
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def permits(ip: str | Address, target: Target, conf) -> bool:
    """Return whether a webhook to ``target`` may connect to an address.

    :param ip: one that its name has now
    :param conf: the option group ``[webhook]``
    """
    address = _address(ip)
    if address is None:
        return False
    if is_public(address) or target.host in conf.allowed_hosts:
        return True
    plain = _embedded(address, _MAPPED) or address
    return any(plain in one for one in conf.allowed_networks)


def is_public(ip: str | Address) -> bool:
    """Return whether an address is one of the public internet.

    An IPv6 address that leads to an IPv4 address is what that is.
    """
    address = _address(ip)
    if address is None:
        return False
    if address.version == 4:
        return not any(address in one for one in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    for form in (_MAPPED, _NAT64, _SIX_TO_FOUR):
        inner = _embedded(address, form)
        if inner is not None:
            return is_public(inner)
    return address in _UNICAST_V6 and not any(
        address in one for one in _REFUSED_V6)


def _embedded(address: Address, form: tuple[ipaddress.IPv6Network, int]
              ) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address within one of that form, else None."""
    prefix, shift = form
    if address.version == 4 or address not in prefix:
        return None
    return ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)
