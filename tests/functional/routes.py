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

"""Which routes the application has, found in its controllers."""

import contextlib
import re

import webob.exc

from monasca_events_api import app
from monasca_events_api.controllers import root
from monasca_events_common.errors import NotFound
from tests.functional import service


def controllers(parts: service.Parts) -> root.RootController:
    """Return the controllers, as the application makes them."""
    return root.RootController(root.Parts(
        conf=parts.conf, bus=parts.bus, store=parts.store,
        identity=parts.identity, database=parts.database, catalog=None,
        secrets=parts.secrets, history=None, jobs=None, dead_letters=None,
        live=None, timeline=None, clock=app.utc_now, policy=None,
        project_id=None))


def served(controller, path: str = "") -> set[tuple[str, str]]:
    """Return what Pecan routes at and below a controller.

    As Pecan does it: by attributes, whether of the object or of its class,
    and by look-ups, which are asked for a name. What a name stands for is
    nobody's business here: ``{}``.
    """
    found = {(method, path or "/") for method in methods(controller.index)}
    for name in dir(controller):
        value = getattr(controller, name)
        if name.startswith("_") or name == "index":
            continue
        if is_exposed(getattr(value, "index", None)):
            found |= served(value, f"{path}/{name}")
        elif is_exposed(value):
            found |= {(method, f"{path}/{name}") for method in methods(value)}
    if is_exposed(getattr(controller, "_default", None)):
        found.add(("ANY", f"{path}/*"))
    if is_exposed(getattr(controller, "_lookup", None)):
        name, item = look_up(controller, path)
        if item is not None:
            found |= served(item, f"{path}/{name}")
    return found


def is_exposed(value) -> bool:
    """Return whether Pecan would call this by its own name.

    What ``when`` gives to another one it answers 404.
    """
    return getattr(value, "exposed", False) is True \
        and not value._pecan.get("generic_handler")


def methods(handler) -> set[str]:
    """Return the methods for which a handler has been given functions."""
    return set(handler._pecan.get("generic_handlers", {"ANY": None})) \
        - {"DEFAULT", "HEAD"}


def look_up(controller, path: str) -> tuple[str, object]:
    """Return what stands for names in a route, and what one of them finds.

    The root knows one name only, our version's; the firings of no trigger
    none. A look-up that takes no name of ours fails.
    """
    for name, shown in (("some-id", "{}"), ("1", "{}"), ("v1.0", "v1.0")):
        with contextlib.suppress(NotFound, webob.exc.HTTPNotFound):
            item, rest = controller._lookup(name, "rest")
            assert rest == ("rest",), f"{path}/{name} takes more names"
            return shown, item
    assert path == "/v1.0/firings", f"no name is found at {path}"
    return "", None


def nameless(table) -> set[tuple[str, str]]:
    """Return rows with ``{}`` for whatever a name stands for."""
    found = {(method, re.sub(r"\{\w+\}", "{}", route))
             for method, route in table}
    assert len(found) == len(table), "two rows differ by a name only"
    return found
