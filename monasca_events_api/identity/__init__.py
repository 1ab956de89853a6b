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

"""Identity: who is asking.

A driver puts a WSGI middleware in front of the application that validates the
token and sets the headers of OpenStack's auth_token. The drivers are siblings
of this file and are found by their plug-in name.
"""

import abc
from collections.abc import Callable, Iterable

from oslo_config import cfg

from monasca_events_common import plugins
from monasca_events_common.health import Health

NAMESPACE = "monasca_events.identity"

GROUP = "identity"

OPTS = [
    cfg.StrOpt("driver", default="local",
               help="Who validates tokens: local (tokens in a file, for one "
                    "machine, loopback only), keystone, or module:Class."),
]

Application = Callable[[dict, Callable], Iterable[bytes]]


class Identity(abc.ABC):
    """Validates tokens. Safe to use from several threads."""

    GROUP: str
    OPTS: list[cfg.Opt]

    @classmethod
    def make(cls, conf: cfg.ConfigOpts) -> "Identity":
        """Return the driver, having registered its options.

        Opens nothing: the caller may fork afterwards. Raises Misconfigured.
        """
        conf.register_opts(cls.OPTS, group=cls.GROUP)
        return cls(conf[cls.GROUP])

    @abc.abstractmethod
    def protect(self, app: Application) -> Application:
        """Return a middleware that lets only validated requests through.

        It removes every header of identity that the client sent, answers 401
        to a bad token and 503 where it cannot tell, and sets
        ``X-Identity-Status: Confirmed`` with the others.
        """

    @abc.abstractmethod
    def health(self) -> Health:
        """Return quickly what is known of the identity; never raise."""

    def listening(self, host: str, port: int) -> None:
        """Told once where the API is going to listen, before it does.

        Raises Misconfigured when this driver must not be reachable there.
        """


def get_identity(conf: cfg.ConfigOpts) -> Identity:
    """Return the identity that ``[identity] driver`` names.

    Raises Misconfigured when there is no such driver or it lacks something.
    """
    conf.register_opts(OPTS, group=GROUP)
    return plugins.load(NAMESPACE, conf.identity.driver).make(conf)
