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

"""A browser that nobody looks at, driven by the W3C's WebDriver protocol."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import base64
import contextlib
import pathlib
import subprocess
import time
from typing import Any

import requests

from tests.integration import servers
from tests.integration.daemons import NotYet
from tests.integration.daemons import wait_for
from tests.integration.sites import free_port

#: Under which WebDriver gives an element's id.
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

#: Keys as WebDriver writes them.
ENTER, TAB, LEFT, RIGHT, ESCAPE, SHIFT = (
    "\ue007", "\ue004", "\ue012", "\ue014", "\ue00c", "\ue008")


# What the driver says of a page that another one is taking the place of.
_LEAVING = ("stale element reference", "aborted by navigation",
            "no such execution context", "document unloaded")


class Gone(NotYet):
    """The page was left while it was asked."""


class Element:
    """Something on the page that is shown just now."""

    def __init__(self, browser: "Browser", element_id: str) -> None:
        self._browser = browser
        self.id = element_id

    @property
    def text(self) -> str:
        """Return what is seen of its text."""
        return self._browser.call("GET", f"/element/{self.id}/text")

    @property
    def shown(self) -> bool:
        return self._browser.call("GET", f"/element/{self.id}/displayed")

    @property
    def reference(self) -> dict[str, str]:
        """Return it as an argument of a script."""
        return {_ELEMENT: self.id}

    def attribute(self, name: str) -> str | None:
        return self._browser.call("GET",
                                  f"/element/{self.id}/attribute/{name}")

    @property
    def value(self) -> str:
        """Return what is filled in."""
        return self._browser.run("return arguments[0].value;",
                                 self.reference)

    def click(self) -> None:
        self._browser.call("POST", f"/element/{self.id}/click", {})

    def type(self, text: str) -> None:
        """Press keys."""
        self._browser.call("POST", f"/element/{self.id}/value",
                           {"text": text})

    def fill(self, text: str) -> None:
        """Put text in place of what is there, as who pastes it."""
        self._browser.run(
            "arguments[0].value = arguments[1];"
            "for (const name of ['input', 'change']) {"
            "  arguments[0].dispatchEvent(new Event(name, {bubbles: true}));"
            "}", self.reference, text)

    def find(self, selector: str) -> "Element":
        return self.all(selector)[0]

    def all(self, selector: str) -> list["Element"]:
        return self._browser.elements(f"/element/{self.id}/elements",
                                      selector)


class Browser:
    """One window with cookies of its own."""

    def __init__(self, size: tuple[int, int] = (1280, 900)) -> None:
        found = servers.up("chromium")
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._http = requests.Session()
        self._driver = subprocess.Popen(
            [found["driver"], f"--port={port}", "--silent"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._session = ""
        try:
            wait_for("the driver answers", self._answers)
            self._session = self._request("POST", "/session", {
                "capabilities": {"alwaysMatch": {
                    "goog:chromeOptions": {
                        "binary": found["browser"],
                        "args": ["--headless=new", "--no-sandbox",
                                 "--disable-gpu", "--disable-dev-shm-usage",
                                 f"--window-size={size[0]},{size[1]}"]},
                    "goog:loggingPrefs": {"browser": "ALL"},
                    "unhandledPromptBehavior": "ignore",
                }}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return self._http.get(f"{self._url}/status",
                                  timeout=2).json()["value"]["ready"]
        return False

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, self._url + path, json=body,
                                    timeout=180).json()["value"]
        if isinstance(answer, Mapping) and "error" in answer:
            said = f"{answer['error']}: {answer['message'].splitlines()[0]}"
            raise (Gone if any(one in said for one in _LEAVING)
                   else AssertionError)(f"{method} {path}: {said}")
        return answer

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self._request(method, f"/session/{self._session}{path}", body)

    def close(self) -> None:
        if self._session:
            with contextlib.suppress(requests.RequestException,
                                     AssertionError):
                self.call("DELETE", "")
        self._driver.terminate()
        self._driver.wait()
        self._http.close()

    # -- where it is

    def open(self, url: str) -> None:
        """Return when the page is loaded."""
        self.call("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return self.call("GET", "/url")

    @property
    def title(self) -> str:
        return self.call("GET", "/title")

    @property
    def source(self) -> str:
        return self.call("GET", "/source")

    def resize(self, width: int, height: int) -> None:
        self.call("POST", "/window/rect", {"width": width, "height": height})

    @contextlib.contextmanager
    def phone(self, width: int, height: int) -> Iterator[None]:
        """Show meanwhile what a screen of so many pixels does: windows are
        wider than the screens of phones."""
        self._metrics(width, height)
        try:
            yield
        finally:
            self.call("POST", "/goog/cdp/execute", {
                "cmd": "Emulation.clearDeviceMetricsOverride", "params": {}})

    def _metrics(self, width: int, height: int) -> None:
        self.call("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride", "params": {
                "width": width, "height": height, "deviceScaleFactor": 1,
                "mobile": False}})

    # -- what is there

    def elements(self, path: str, selector: str) -> list[Element]:
        return [Element(self, one[_ELEMENT]) for one in self.call(
            "POST", path, {"using": "css selector", "value": selector})]

    def all(self, selector: str) -> list[Element]:
        return self.elements("/elements", selector)

    def find(self, selector: str, seconds: float = 60.0) -> Element:
        """Return the first that fits, once there is one."""
        return wait_for(f"{selector} is on {self.url}",
                        lambda: self.all(selector), seconds)[0]

    def link(self, text: str) -> Element:
        """Return the link or button whose text this is."""
        def found() -> Sequence[Element]:
            return [one for one in self.all("a, button, input[type=submit]")
                    if text in (one.text, one.attribute("value"))]
        return wait_for(f"a link {text!r} is on {self.url}", found)[0]

    def texts(self, selector: str) -> list[str]:
        """Return the text of all that fit, also of what is not seen."""
        return self.run(
            "return Array.from(document.querySelectorAll(arguments[0]),"
            " one => one.textContent.trim().replace(/\\s+/g, ' '));",
            selector)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self.call("POST", "/execute/sync",
                         {"script": script, "args": list(arguments)})

    def run_for_elements(self, script: str) -> list[Element]:
        """Run a script that returns elements."""
        return [Element(self, one[_ELEMENT]) for one in self.run(script)]

    @property
    def focused(self) -> Element:
        return Element(self, self.call("GET", "/element/active")[_ELEMENT])

    def complaints(self) -> list[str]:
        """Return what the page wrote to its console as an error since."""
        return [one["message"] for one in self.call(
            "POST", "/se/log", {"type": "browser"})
            if one["level"] == "SEVERE"]

    def click_through(self, element: Element) -> None:
        """Click what leads to another page; return when that is loaded."""
        self._leave(element.click)

    def click_through_key(self, element: Element, key: str) -> None:
        """Press what leads to another page; return when that is loaded."""
        self._leave(lambda: element.type(key))

    def _leave(self, act: Callable[[], None]) -> None:
        self.run("window.meLeft = true;")
        act()
        wait_for("another page is loaded", lambda: self.run(
            "return !window.meLeft && document.readyState == 'complete'"
            " && !!window.jQuery;"))

    def photograph_phone(self, path: pathlib.Path, width: int) -> None:
        """Write a picture of the whole page on a phone's screen, which it
        shows just now."""
        height = self.run("return document.documentElement.scrollHeight;")
        self._metrics(width, min(height, 4000))
        self.photograph(path, whole=False)

    def photograph(self, path: pathlib.Path, whole: bool = True) -> None:
        """Write a picture of the page.

        :param whole: also of what one would have to scroll to
        """
        before = self.call("GET", "/window/rect")
        # Twice: charts are drawn anew for a window of another size.
        for _ in range(2 if whole else 0):
            height, inner, outer = self.run(
                "return [Math.max(document.body.scrollHeight,"
                "document.documentElement.scrollHeight),"
                " window.innerHeight, window.outerHeight];")
            if inner >= height:
                break
            self.resize(before["width"], min(height + outer - inner, 4000))
            time.sleep(0.25)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))
        if whole:
            self.resize(before["width"], before["height"])
