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

"""Webhooks: a signed POST of the firing, as Standard Webhooks describes it.

Tenants choose where it goes, so most of this is about where it must not go:
see :mod:`monasca_events_common.catalog.targets`. Signature and headers follow
the Standard Webhooks specification
(github.com/standard-webhooks/standard-webhooks).
"""

from collections.abc import Mapping
import email.utils
import functools
import http.client
import ssl
import time

from oslo_config import cfg
import orjson
from urllib3 import exceptions

from monasca_events_common.catalog import signing
from monasca_events_common.catalog import targets
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine import pinned
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery
from monasca_events_engine.actions import Parts
from monasca_events_engine.deadline import Deadline
from monasca_events_engine.deadline import Deadlines
from monasca_events_engine.resolver import Lookup
from monasca_events_engine.resolver import Resolver

#: Bytes of an answer that are read; nothing of them is looked at.
MAX_ANSWER = 64 * 1024

_AGENT = "monasca-events"

#: What the network, TLS and HTTP raise.
_FAILURES = (OSError, http.client.HTTPException, exceptions.HTTPError)


class Webhook(Action):
    """Posts firings to URLs of tenants."""

    GROUP = targets.GROUP
    OPTS = [
        *targets.OPTS,
        cfg.FloatOpt("connect_timeout", default=5.0, min=0.1, mutable=True,
                     help="Seconds for resolving a webhook's name and again "
                          "for connecting to it."),
        cfg.FloatOpt("timeout", default=10.0, min=0.1, mutable=True,
                     help="Seconds after which a webhook that has not been "
                          "answered is given up and tried again later."),
        cfg.StrOpt("ca_file", mutable=True,
                   help="File of certificates that may sign a receiver's "
                        "certificate; the system's where it is not set."),
        cfg.StrOpt("proxy", secret=True,
                   help="URL of an HTTP proxy through which webhooks leave, "
                        "such as http://user:password@proxy:3128. It is "
                        "asked to CONNECT to the address that was checked. "
                        "Environment variables that name proxies are not "
                        "read."),
        cfg.BoolOpt("proxy_resolves", default=False,
                    help="Whether the proxy gets names instead of addresses, "
                         "where engines cannot resolve them. Addresses are "
                         "not checked then: the proxy itself must keep "
                         "webhooks out of your networks."),
    ]

    def __init__(self, conf, parts: Parts, lookup: Lookup | None = None
                 ) -> None:
        """:param lookup: as ``socket.getaddrinfo``"""
        super().__init__(conf, parts)
        self._resolver = Resolver(conf, lookup) if lookup else Resolver(conf)
        self._connections = pinned.Connections()
        self._deadlines = Deadlines()
        try:
            self._proxy = pinned.proxy_of(conf.proxy) if conf.proxy else None
        except (ValueError, exceptions.HTTPError):
            # Never the value: it may hold a password.
            raise Misconfigured(f"[{self.GROUP}] proxy is no URL such as "
                                "http://proxy:3128") from None
        self._context()

    def _context(self) -> ssl.SSLContext:
        try:
            return _trusting(self.conf.ca_file)
        except OSError as error:
            raise Misconfigured(f"[{self.GROUP}] ca_file: {error}") from None

    def target(self, project_id: str, method: Mapping | None) -> str:
        """Return project, host and port: what one project's failures at a
        receiver say is no other project's affair."""
        if method is None:
            raise Rejected("a webhook needs a notification method")
        return (f"{project_id} "
                f"{targets.parse(method['address'], self.conf).place}")

    def execute(self, delivery: Delivery) -> Mapping:
        target = targets.parse(delivery.method["address"], self.conf)
        if not delivery.secrets:
            raise Rejected("the notification method has no signing key",
                           code="no_key")
        started = time.monotonic()
        body = _body(delivery.firing)
        headers = self._headers(delivery, target, body)
        with self._deadlines.watch(self.conf.timeout) as deadline:
            try:
                answer = self._post(target, body, headers, deadline)
            except _FAILURES as error:
                raise Unavailable(
                    "the receiver did not answer in time"
                    if deadline.is_over else _reason(error),
                    retry_after=0.0) from error
        _judge(*answer, self.parts.clock())
        return {"answer": "2xx",
                "seconds": round(time.monotonic() - started, 3)}

    def _headers(self, delivery: Delivery, target: targets.Target,
                 body: bytes) -> dict[str, str]:
        now = int(self.parts.clock())
        return {
            "Host": target.url.split("/")[2],
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": _AGENT,
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signing.sign(
                [signing.Key(one) for one in delivery.secrets],
                delivery.delivery_id, now, body)}

    def _post(self, target: targets.Target, body: bytes,
              headers: Mapping[str, str], deadline: Deadline
              ) -> tuple[int, str | None]:
        """Return the status and the header Retry-After."""
        key = (target.scheme, target.host, target.port, self.conf.ca_file)
        kept = self._connections.take(key)
        if kept is not None:
            try:
                return self._ask(kept, key, target, body, headers, deadline)
            except _FAILURES:
                # The receiver may have closed it just now. The delivery's
                # id makes a repeat harmless.
                if deadline.is_over:
                    raise
        addresses: tuple[str, ...] = (target.host,)
        if not (self._proxy and self.conf.proxy_resolves):
            addresses = self._resolver.resolve(
                target, min(self.conf.connect_timeout, self.conf.timeout))
        made = self._connections.make(
            target, addresses, self.conf.connect_timeout, self.conf.timeout,
            self._context(), self._proxy)
        return self._ask(made, key, target, body, headers, deadline)

    def _ask(self, used, key: tuple, target: targets.Target, body: bytes,
             headers: Mapping[str, str], deadline: Deadline
             ) -> tuple[int, str | None]:
        is_whole = False
        try:
            with pinned.ended_by(deadline, used):
                if deadline.is_over:
                    raise TimeoutError
                answer = used.post(target.path, headers, body)
                is_whole = _drained(answer) and not answer.will_close
                return answer.status, answer.headers.get("Retry-After")
        finally:
            if is_whole and not deadline.is_over:
                self._connections.give(key, used)
            else:
                used.close()

    def close(self) -> None:
        self._connections.close()


@functools.lru_cache(maxsize=8)
def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies certificates and host names."""
    return ssl.create_default_context(cafile=ca_file)


def _drained(answer: http.client.HTTPResponse) -> bool:
    """Return whether the whole answer was read, so that another may come.

    The status says all that counts: what is wrong with the rest, or too long
    of it, costs the connection only.
    """
    try:
        return len(answer.read(MAX_ANSWER + 1)) <= MAX_ANSWER \
            and not answer.length
    except _FAILURES:
        return False
    finally:
        answer.close()


def _body(firing: Mapping) -> bytes:
    return orjson.dumps({"type": f"monasca.event.{firing['outcome']}",
                         "timestamp": firing["at"], "data": firing})


def _reason(error: Exception) -> str:
    """Return what went wrong, without what the receiver said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ("the receiver's certificate cannot be verified: "
                    f"{cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return "the receiver does not speak TLS as we do"
        if isinstance(cause, TimeoutError):
            return "the receiver did not answer in time"
        if isinstance(cause, ConnectionRefusedError):
            return "the receiver refuses connections"
        cause = cause.__cause__ or cause.__context__
    return "the connection to the receiver failed"


def _judge(status: int, retry_after: str | None, now: float) -> None:
    """Return for a success; raise for everything else.

    Redirects are failures: they would lead where nobody looked. Other answers
    than 410 are tried again, 4xx too, as Standard Webhooks says: a receiver
    that is being deployed or put right answers 404 or 401 for a while.
    """
    if 200 <= status < 300:
        return
    if status == 410:
        raise Rejected("the receiver answered 410: it wants no more of this",
                       code="gone")
    wait = _seconds(retry_after, now) if status in (429, 503) else 0.0
    raise Unavailable(f"the receiver answered {status // 100}xx",
                      retry_after=wait)


def _seconds(retry_after: str | None, now: float) -> float:
    """Return what the header asks for: seconds, or a time (RFC 9110)."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(
            text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
