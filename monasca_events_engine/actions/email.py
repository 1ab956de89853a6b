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

"""E-mail: a plain text for each firing, by SMTP with TLS.

The server is the operator's, the address and a prefix of the subject the
tenant's, the rest what events said: nothing of that becomes a header of its
own. A repeat has the same Message-ID, by which mailboxes can tell.
"""

from collections.abc import Mapping
import email.errors
from email import headerregistry
from email import message
from email import utils
import smtplib
import ssl

from oslo_config import cfg

from monasca_events_common import printable
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import Rejected
from monasca_events_common.errors import Unavailable
from monasca_events_engine.actions import Action
from monasca_events_engine.actions import Delivery
from monasca_events_engine.actions import Parts

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}

#: Characters of the subject, and of one value in the text.
MAX_SUBJECT = 200
MAX_VALUE = 1000


class Email(Action):
    """Sends firings by mail."""

    GROUP = "email"
    OPTS = [
        cfg.StrOpt("host", default="127.0.0.1",
                   help="The SMTP server that takes the engine's mail."),
        cfg.PortOpt("port",
                    help="Its port. Unless set, 587 with STARTTLS, 465 with "
                         "implicit TLS, 25 without TLS."),
        cfg.StrOpt("tls", default="starttls",
                   choices=["starttls", "implicit", "none"],
                   help="How the connection is encrypted. The server's "
                        "certificate must be for its host name. Without TLS, "
                        "whatever lies between reads the events, and no "
                        "password is sent."),
        cfg.StrOpt("ca_file",
                   help="File of certificates that may sign the server's "
                        "certificate; the system's where it is not set."),
        cfg.StrOpt("username", help="User name at the server; none is sent "
                                    "where it is not set."),
        cfg.StrOpt("password", secret=True, help="Password at the server."),
        cfg.StrOpt("from_address", default="monasca-events@localhost",
                   help="The sender's address. Its domain also ends the "
                        "Message-ID."),
        cfg.ListOpt("allowed_domains", default=[], mutable=True,
                    item_type=str.lower,
                    help="Domains to which mail may go. Unless set, to any, "
                         "and then every tenant can have your server write "
                         "to anybody."),
        cfg.FloatOpt("timeout", default=10.0, min=0.1, mutable=True,
                     help="Seconds to wait for the server at each step."),
    ]

    def __init__(self, conf, parts: Parts) -> None:
        super().__init__(conf, parts)
        try:
            self._sender = headerregistry.Address(addr_spec=conf.from_address)
            self._context = ssl.create_default_context(cafile=conf.ca_file)
        except (email.errors.MessageError, ValueError, IndexError) as error:
            raise Misconfigured(
                f"[{self.GROUP}] from_address: {error}") from None
        except OSError as error:
            raise Misconfigured(f"[{self.GROUP}] ca_file: {error}") from None
        if conf.username and conf.tls == "none":
            raise Misconfigured(f"[{self.GROUP}] username is set and tls is "
                                "none: the password would be readable")

    def execute(self, delivery: Delivery) -> Mapping:
        address = (delivery.method or {}).get("address", "")
        domain = address.rpartition("@")[2].lower()
        if self.conf.allowed_domains \
                and domain not in self.conf.allowed_domains:
            raise Rejected("mail may not go to that domain",
                           code="forbidden_address")
        letter = self._letter(delivery, address)
        try:
            self._send(letter, address)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise _failure(code) from error
        except smtplib.SMTPResponseException as error:
            # Also where it does not know our password: the operator can put
            # that right while the delivery waits.
            raise (_failure(error.smtp_code)
                   if isinstance(error, smtplib.SMTPDataError)
                   else Unavailable("the mail server refuses the engine: "
                                    f"{error.smtp_code}")) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable("the mail server cannot be reached: "
                              f"{type(error).__name__}") from error
        return {"message_id": letter["Message-ID"]}

    def _send(self, letter: message.EmailMessage, address: str) -> None:
        conf = self.conf
        port = conf.port or _PORTS[conf.tls]
        if conf.tls == "implicit":
            server = smtplib.SMTP_SSL(conf.host, port, timeout=conf.timeout,
                                      context=self._context)
        else:
            server = smtplib.SMTP(conf.host, port, timeout=conf.timeout)
        with server:
            if conf.tls == "starttls":
                server.starttls(context=self._context)
            if conf.username:
                server.login(conf.username, conf.password or "")
            server.send_message(letter, conf.from_address, [address])

    def _letter(self, delivery: Delivery, address: str
                ) -> message.EmailMessage:
        firing = delivery.firing
        letter = message.EmailMessage()
        try:
            letter["To"] = headerregistry.Address(addr_spec=address)
        except (email.errors.MessageError, ValueError, IndexError):
            raise Rejected("the notification method's address is not a mail "
                           "address", code="invalid_address") from None
        letter["From"] = self._sender
        letter["Subject"] = printable.escape(
            f"{delivery.settings.get('subject_prefix', '')}"
            f"{firing['severity']}: {firing['trigger_name']} "
            f"{firing['outcome']}", MAX_SUBJECT)
        letter["Date"] = utils.format_datetime(utils.localtime())
        letter["Message-ID"] = (f"<{delivery.delivery_id}@"
                                f"{self._sender.domain}>")
        # RFC 3834: no out-of-office answers.
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text(firing))
        return letter


def _failure(code: int) -> Exception:
    """Return what a mail server's code means (RFC 5321, 4.2.1)."""
    if 500 <= code < 600:
        return Rejected(f"the mail server refuses the letter: {code}",
                        code="refused")
    return Unavailable(f"the mail server does not take it now: {code}",
                       retry_after=60.0)


def text(firing: Mapping) -> str:
    """Return what a firing says to a person."""
    lines = [f"{_shown(firing['trigger_name'])}: "
             f"{_shown(firing['outcome'])}", "", _shown(firing["reason"]), ""]
    found = [("Severity", firing["severity"]), ("Time", firing["at"]),
             ("Project", firing["project_id"])]
    found += list(firing["key"].items())
    found += [("Value", firing.get("value"))]
    found += list((firing.get("values") or {}).items())
    found += [("Trigger", firing["trigger_id"]),
              ("Firing", firing["firing_id"])]
    found += [("Event", one) for one in firing["event_ids"][-10:]]
    lines += [f"{_shown(name)}: {_shown(value)}" for name, value in found
              if value is not None]
    return "\n".join(lines) + "\n"


def _shown(value) -> str:
    return printable.escape(str(value), MAX_VALUE)
