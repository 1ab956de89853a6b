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

"""Credentials: a session with the identity service, as a group describes it.

keystoneauth's options, as every OpenStack service has them. The agent has
them for the API that it posts to, the engine for the services that it acts
on.
"""

from collections.abc import Mapping
import logging
import os
import ssl

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1 import session as keystone_session
from oslo_config import cfg

from monasca_events_common.errors import Misconfigured

LOG = logging.getLogger(__name__)

#: Seconds to wait for an answer where the group's ``timeout`` says nothing:
#: keystoneauth would wait for ever for one that hangs.
TIMEOUT = 10.0


def make_session(conf: cfg.ConfigOpts, group: str, **changed
                 ) -> keystone_session.Session:
    """Return the session that an option group describes.

    Connects to nothing.

    :param changed: of the credentials, such as ``project_id``, whatever the
        group says; left out where its kind of credentials has no such thing
    :raises Misconfigured: the group cannot work
    """
    register(conf, group)
    _check_files(conf, group)
    try:
        auth = loading.load_auth_from_conf_options(
            conf, group, **_known(_auth_type(conf, group), changed))
        if auth is None:
            raise Misconfigured(
                f"[{group}] auth_type is not set; expected password, "
                "v3applicationcredential, admin_token, http_basic or none")
        session = loading.load_session_from_conf_options(
            conf, group, auth=auth)
    except (exceptions.ClientException, cfg.Error) as error:
        raise Misconfigured(f"[{group}]: {sentence(error)}") from error
    if session.timeout is None:
        session.timeout = TIMEOUT
    if conf[group].insecure:
        LOG.warning("[%s] insecure is set: certificates of the identity "
                    "service and of those that it leads to are not verified",
                    group)
    return session


def _auth_type(conf: cfg.ConfigOpts, group: str) -> str | None:
    section = conf[group].auth_section
    if section:
        loading.register_auth_conf_options(conf, section)
    return conf[section or group].auth_type


def _known(auth_type: str | None, changed: Mapping) -> dict:
    """Return what a kind of credentials takes of these."""
    if not auth_type or not changed:
        return {}
    known = {opt.dest for opt in
             loading.get_plugin_loader(auth_type).get_options()}
    return {name: value for name, value in changed.items() if name in known}


def _check_files(conf: cfg.ConfigOpts, group: str) -> None:
    """Read the files of TLS once, for requests does so at each request."""
    settings = conf[group]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities, mine = settings.cafile, settings.certfile
    if settings.keyfile and not mine:
        raise Misconfigured(f"[{group}] keyfile is set without certfile")
    try:
        if authorities and not settings.insecure:
            is_folder = os.path.isdir(authorities)
            context.load_verify_locations(
                None if is_folder else authorities,
                authorities if is_folder else None)
    except OSError as error:
        raise Misconfigured(f"[{group}] cafile = {authorities}: "
                            f"{sentence(error)}") from error
    try:
        if mine:
            # An empty password: nobody is there to be asked for one.
            context.load_cert_chain(mine, settings.keyfile, "")
    except OSError as error:
        raise Misconfigured(
            f"[{group}] certfile = {mine}, keyfile = "
            f"{settings.keyfile or mine}: {sentence(error)}") from error


def register(conf: cfg.ConfigOpts, group: str) -> None:
    """Register keystoneauth's options in a group."""
    loading.register_auth_conf_options(conf, group)
    loading.register_session_conf_options(conf, group)


def options() -> list[cfg.Opt]:
    """Return the options of such a group for the sample file."""
    found: dict[str, cfg.Opt] = {}
    for opts in (loading.get_auth_common_conf_options(),
                 loading.get_session_conf_options(),
                 *map(loading.get_auth_plugin_conf_options,
                      ("password", "v3applicationcredential",
                       "admin_token"))):
        for one in opts:
            found.setdefault(one.name, one)
    return list(found.values())


def sentence(error: Exception) -> str:
    """Return what an error of keystoneauth says, as one line."""
    return " ".join(str(error).split())[:600] or type(error).__name__
