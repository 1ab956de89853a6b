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

"""Horizon's panels in a browser, on any installation, and what they show.

Mixed into a TestCase with ``make_site``. Pictures of the pages are left in
``tests/artefacts/horizon`` for somebody to look at.
"""

import datetime
import pathlib
import tempfile
import uuid

from monasca_events_common import event as events
from tests.integration import accessibility
from tests.integration import horizons
from tests.integration.browser import Browser
from tests.integration.daemons import wait_for
from tests.integration.receiver import Receiver
from tests.integration.sites import LiveSite

#: A small phone's screen.
PHONE = (360, 740)

PICTURES = horizons.ROOT / "tests/artefacts/horizon"

#: What fails is given up soon, before the receiver is left alone; tokens are
#: remembered as they are by default.
SETTINGS = """
[retry_engine]
interval = 0.2
max_attempts = 2
[keystone_authtoken]
token_cache_time = 300
"""

#: What must be shown as it is, by who shows it and by the scripts around.
HOSTILE = (
    "<script>window.hurt='script'</script>",
    "\"'><img src=x onerror=window.hurt='image'>",
    "</textarea></pre></td><svg/onload=window.hurt='svg'>",
    "javascript:window.hurt='link'",
    "{{constructor.constructor('window.hurt=1')()}}{{7*7}}",
    "{$constructor.constructor('window.hurt=1')()$}{$7*7$}",
    "{% load missing %}{{ request.user.token.id }}",
    "]]><!--\u202e\u2028&lt;b&gt;&#60;i&#62;",
)


def defused(text: str) -> str:
    """Return text as it is shown: Horizon alters the marks of AngularJS, and
    what turns the direction of writing is told."""
    return text.replace("{$", "{%").replace("$}", "%}").replace(
        "\u202e\u2028", "\\u202e\\u2028")


class Panels:
    """Two tenants, an administrator and what they have; see the module.

    :cvar kind: of installation, as the pictures' names begin
    """

    kind: str

    @classmethod
    def make_site(cls, folder: pathlib.Path, extra: str) -> LiveSite:
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="horizon-")
        cls.addClassCleanup(folder.cleanup)
        cls.receiver = Receiver()
        cls.addClassCleanup(cls.receiver.close)
        cls.site = cls.make_site(pathlib.Path(folder.name),
                                 cls.receiver.conf + SETTINGS)
        cls.addClassCleanup(cls.site.close)
        cls.site.start()
        cls.site.keystone.withdraw(others=True)
        cls.addClassCleanup(cls.site.keystone.withdraw)
        cls.now = datetime.datetime.now(datetime.timezone.utc)
        cls.server, cls.order = (str(uuid.uuid4()) for _ in range(2))
        cls.post("A", [*cls.story(), *cls.orders(45), cls.hostile()])
        cls.post("B", [cls.made("shop.order.placed", 60)])
        cls.horizon = horizons.horizon()
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.users = {
            "A": cls.site.keystone.user("member-a", cls.site.projects["A"],
                                        "member"),
            "B": cls.site.keystone.user("member-b", cls.site.projects["B"],
                                        "member"),
            "reader": cls.site.keystone.user(
                "reader-a", cls.site.projects["A"], "reader"),
            "admin": cls.site.keystone.user(
                "operator-admin", cls.site.projects["operator"], "admin")}
        wait_for("what was posted can be found", lambda: (
            cls.site.count("A"), cls.site.count("B")) == (55, 1))
        cls.log_in(cls.browser, "A")

    # -- what there is to see

    @classmethod
    def made(cls, event_type: str, seconds: float, **fields) -> dict:
        """Return an event of so many seconds ago."""
        return {"event_type": event_type, "timestamp": events.format_time(
            cls.now - datetime.timedelta(seconds=seconds)), **fields}

    @classmethod
    def story(cls) -> list[dict]:
        """Return what happened to one server: made, resized in vain."""
        def server(name: str, seconds: float, request: int, **fields):
            return cls.made(f"compute.instance.{name}", seconds, **{
                "resource_type": "compute.instance",
                "resource_id": cls.server, "publisher_id": "compute.node-7",
                "request_id": f"req-{uuid.UUID(int=request)}",
                "traits": {"host": "node-7", "memory_mb": 2048},
                "payload": {"display_name": "web-1"}, **fields})
        return [
            server("create.start", 1800, 1),
            cls.made("port.create.end", 1795, resource_type="network.port",
                     resource_id=str(uuid.UUID(int=77)),
                     request_id=f"req-{uuid.UUID(int=1)}"),
            server("create.end", 1780, 1),
            server("power_off.start", 1500, 2),
            server("power_off.end", 1490, 2, priority="WARN"),
            server("resize.prep.start", 900, 3),
            server("resize.prep.end", 880, 3),
            server("resize.start", 870, 3),
            server("resize.error", 840, 3, priority="ERROR",
                   payload={"display_name": "web-1", "exception": {
                       "message": "No valid host was found"}})]

    @classmethod
    def orders(cls, count: int) -> list[dict]:
        return [cls.made("shop.order.placed", 7200 + 1500 * number,
                         resource_type="order", resource_id=cls.order,
                         traits={"total": number * 100})
                for number in range(count)]

    @classmethod
    def hostile(cls) -> dict:
        return cls.made(
            "hostile." + HOSTILE[0], 30, resource_type=HOSTILE[4],
            resource_id=HOSTILE[5], publisher_id=HOSTILE[1],
            user_id=HOSTILE[3], request_id=HOSTILE[2], priority="ERROR",
            traits={f"t{number}": one for number, one in enumerate(HOSTILE)},
            dimensions={"items": HOSTILE[1]},
            payload={one: [one, {one: one}] for one in HOSTILE})

    @classmethod
    def post(cls, project: str, found: list[dict]) -> None:
        answer = cls.site.call(
            "POST", "/v1.0/events", cls.site.token("operator", "service"),
            params={"project_id": cls.site.projects[project]},
            json={"events": found})
        if answer.status_code != 202 or answer.json()["rejected"]:
            raise AssertionError(answer.text)

    # -- going about

    @classmethod
    def log_in(cls, window: Browser, who: str) -> None:
        name, password = cls.users[who]
        window.open(f"{cls.horizon}/auth/login/")
        window.find("input[name=username]").type(name)
        window.find("input[name=password]").type(password)
        window.click_through(window.find("button[type=submit]"))

    def window(self, who: str) -> Browser:
        """Return another browser, logged in."""
        found = Browser()
        self.addCleanup(found.close)
        self.log_in(found, who)
        return found

    def open(self, path: str, window: Browser | None = None) -> None:
        (window or self.browser).open(f"{self.horizon}{path}")

    def follow(self, text: str) -> None:
        """Click a link or button and wait for where it leads."""
        self.browser.click_through(self.browser.link(text))

    def picture(self, name: str, window: Browser | None = None) -> None:
        """Keep what is seen on a wide and on a narrow screen, and look at
        what a machine can look at."""
        window = window or self.browser
        self.assertEqual([], accessibility.faults(window))
        path = PICTURES / f"{self.kind}-{name}.png"
        window.photograph(path)
        with window.phone(*PHONE):
            # Charts are drawn anew a moment later.
            wait_for(f"{name} does not scroll sideways", lambda: window.run(
                "return document.documentElement.scrollWidth"
                " <= window.innerWidth && Array.from(document"
                ".querySelectorAll('.me-drawing svg')).every(one =>"
                " one.getAttribute('width') <= window.innerWidth);"))
            window.photograph_phone(
                path.with_stem(f"{path.stem}-narrow"), PHONE[0])
        self.assertEqual([], window.complaints())

    def told(self, window: Browser | None = None) -> str:
        """Return what the page says came of what was done before."""
        return " ".join((window or self.browser).texts(".messages .alert"))

    def rows(self) -> list[str]:
        return self.browser.texts("#events tbody tr:not(.empty)")

    def types(self) -> list[str]:
        return self.browser.texts("#events tbody th[scope=row]")

    def make_method(self) -> str:
        """Make a webhook to the receiver by form; return its name."""
        name = f"hook {uuid.uuid4().hex[:6]}"
        self.open("/project/event_methods/create/")
        self.assertFalse(self.browser.find("#id_mail").shown)
        self.browser.find("#id_name").fill(name)
        self.browser.find("#id_address").fill(self.receiver.url)
        self.follow("Create")
        self.assertRegex(self.browser.find("#me-secret").text, "^whsec_")
        return name

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.browser.find(
                f"[name='{name.replace('__', '-')}']").fill(value)
