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

"""Secrets of notification methods, kept encrypted in the catalog.

Fernet (symmetric, authenticated; the ``cryptography`` package) with a key
from a file that the API and the engine share. Several keys may be in it: the
first one encrypts, all decrypt, so that a key is changed by putting a new one
in front.
"""

import os
import pathlib
import uuid

from cryptography import fernet
from oslo_config import cfg

from monasca_events_common.errors import Misconfigured

GROUP = "secrets"

OPTS = [
    cfg.StrOpt("key_file", default="secrets.key",
               help="File with the keys, one a line, that encrypt secrets of "
                    "notification methods in the database. The API and the "
                    "engine name the same one. Where there is none, the API "
                    "makes it, readable by its user only."),
]


class Secrets:
    """Encrypts and decrypts. Safe for several threads."""

    def __init__(self, path: str | os.PathLike, *, make: bool = False
                 ) -> None:
        """:param make: make the file with a new key where there is none
        :raises Misconfigured: there is none, it is readable by others, or
            what is in it is no key
        """
        file = pathlib.Path(path)
        try:
            if make and not file.exists():
                _make(file)
            if file.stat().st_mode & 0o077:
                raise Misconfigured(
                    f"[{GROUP}] key_file: {file} can be read by others; "
                    "expected mode 0600")
            keys = file.read_text("ascii").split()
            self._fernet = fernet.MultiFernet(
                [fernet.Fernet(one) for one in keys])
        except OSError as error:
            raise Misconfigured(f"[{GROUP}] key_file: {file}: "
                                f"{error.strerror}") from None
        except (ValueError, UnicodeDecodeError) as error:
            raise Misconfigured(
                f"[{GROUP}] key_file: {file} holds no key: {error}; expected "
                "32 bytes in URL-safe base64 a line") from None

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, token: bytes) -> str:
        """:raises Misconfigured: none of the keys made it"""
        try:
            return self._fernet.decrypt(token).decode()
        except fernet.InvalidToken:
            raise Misconfigured("a secret was encrypted with a key that is "
                                f"not in [{GROUP}] key_file") from None


def _make(file: pathlib.Path) -> None:
    """Make the file; of several processes that do, one is the first."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, fernet.Fernet.generate_key() + b"\n")
        os.fsync(descriptor)
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        os.close(descriptor)
        draft.unlink()


def get_secrets(conf: cfg.ConfigOpts, *, make: bool = False) -> Secrets:
    """Return what ``[secrets] key_file`` names."""
    conf.register_opts(OPTS, group=GROUP)
    return Secrets(conf[GROUP].key_file, make=make)
