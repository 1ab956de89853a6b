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

"""A certificate authority of a test's own, and servers that trust it.

Its keys live in a directory of the test and sign for an hour; nothing of it
is worth keeping.
"""

import dataclasses
import datetime
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HOUR = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: pathlib.Path
    key: pathlib.Path


class Authority:
    """Signs certificates.

    :ivar file: its own certificate, what others shall trust
    """

    def __init__(self, folder: pathlib.Path, name: str = "test authority"
                 ) -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(
            NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), True
        ).add_extension(_key_usage(signs=True), True).sign(
            self._key, hashes.SHA256())
        self.file = self._write(name.replace(" ", "-") + ".pem",
                                made.public_bytes(
                                    serialization.Encoding.PEM))

    def sign(self, host: str, *, ends_in: datetime.timedelta = _HOUR,
             by_itself: bool = False) -> Pair:
        """Return a certificate for a host name or address.

        :param ends_in: negative for one that has expired
        :param by_itself: signed with its own key, not with the authority's
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        made = self._builder(
            subject, key, subject if by_itself else self._name, ends_in
        ).add_extension(x509.SubjectAlternativeName([_general_name(host)]),
                        False).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), True
        ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
            (key if by_itself else self._key).public_key()), False).sign(
                key if by_itself else self._key, hashes.SHA256())
        stem = f"{host}-{made.serial_number:x}"
        return Pair(
            self._write(stem + ".pem", made.public_bytes(
                serialization.Encoding.PEM)),
            self._write(stem + ".key", key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption())))

    def server(self, pair: Pair, *, asks_clients: bool = False
               ) -> ssl.SSLContext:
        """Return what a server with that certificate speaks.

        :param asks_clients: only clients with a certificate of this
            authority are let in
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if asks_clients:
            context.load_verify_locations(self.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _builder(self, subject: x509.Name, key, issuer=None,
                 ends_in: datetime.timedelta = _HOUR
                 ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return x509.CertificateBuilder(
        ).subject_name(subject).issuer_name(issuer or subject).public_key(
            key.public_key()).serial_number(x509.random_serial_number()
        ).not_valid_before(now - 3 * _HOUR).not_valid_after(
            now + ends_in).add_extension(
                x509.SubjectKeyIdentifier.from_public_key(
                    key.public_key()), False)

    def _write(self, name: str, content: bytes) -> pathlib.Path:
        path = self._folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        key_cert_sign=signs, crl_sign=signs, encipher_only=False,
        decipher_only=False)
