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

"""Finding drivers and plug-ins by name.

The name in a configuration file is an entry point of the role's namespace, or
``module:Class`` for an operator's own class that is not packaged. Names come
from configuration files only, never from the API or a database.
"""

import logging
import pkgutil

from oslo_config import cfg
from stevedore import driver as stevedore_driver
from stevedore import exception as stevedore_exception

from monasca_events_common import config
from monasca_events_common.errors import Misconfigured

# Our error says what is missing; stevedore's own line would come before it,
# and DriverManager does not hand on the callback that would stop it.
logging.getLogger("stevedore.named").setLevel(logging.ERROR)


def resolve(spelling: str):
    """Return the object that ``module:Class`` names.

    This is simport's spelling. simport itself is used where it imports: it
    needs the module ``imp``, which Python 3.12 no longer has, and there the
    standard library does the same. Raises Misconfigured.
    """
    try:
        import simport
    except ImportError:
        simport = None
    try:
        if simport is not None:
            return simport.load(spelling)
        return pkgutil.resolve_name(spelling)
    except Exception as error:  # whatever the operator's module raises
        raise Misconfigured(
            f"cannot load {spelling!r}: {type(error).__name__}: {error}; "
            "expected module:Class of an importable module") from error


def load(namespace: str, name: str):
    """Return the plug-in's class.

    :param namespace: the role, such as ``monasca_events.bus``
    :param name: an entry point's name, or ``module:Class``
    :raises Misconfigured: there is none, or it cannot be imported
    """
    if ":" in name:
        return resolve(name)
    try:
        return stevedore_driver.DriverManager(
            namespace, name, invoke_on_load=False).driver
    except stevedore_exception.NoMatches:
        known = ", ".join(names(namespace)) or "none"
        raise Misconfigured(
            f"no plug-in {name!r} for {namespace} can be imported; known: "
            f"{known} (is its extra installed?)") from None
    except Exception as error:  # whatever the plug-in's module raises
        raise Misconfigured(
            f"the plug-in {name!r} for {namespace} cannot be imported: "
            f"{type(error).__name__}: {error} (is its extra installed?)"
        ) from error


def names(namespace: str) -> list[str]:
    """Return the names of the plug-ins of a role, sorted."""
    from stevedore import extension
    manager = extension.ExtensionManager(namespace, invoke_on_load=False,
                                         on_load_failure_callback=_ignore)
    return sorted(manager.entry_points_names())


def _ignore(manager, entry_point, error) -> None:
    """A driver whose library is missing is no error until it is named."""


def options(conf: cfg.ConfigOpts, plugin):
    """Return the option group of a plug-in, None where it has none.

    A plug-in has OPTS in a group GROUP. They are registered here, so that
    one which is not used adds no options, and it is handed nothing else.

    :param plugin: a class, or a function with these attributes
    :raises Misconfigured: a value is not what its option expects
    """
    group = getattr(plugin, "GROUP", None)
    if group is None:
        return None
    conf.register_opts(plugin.OPTS, group=group)
    config.check(conf, group, plugin.OPTS)
    return conf[group]


def driver(namespace: str, conf: cfg.ConfigOpts, role: str):
    """Make the driver that ``[role] driver`` names, with its own options."""
    cls = load(namespace, conf[role].driver)
    return cls(options(conf, cls))
