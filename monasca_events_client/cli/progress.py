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

"""What goes on, for who waits longer than two seconds.

On a terminal one line that changes; elsewhere a plain line now and then. Both
on standard error, so that output can be redirected.
"""

from collections.abc import Callable
import threading
import time
from typing import TextIO

from monasca_events_client.cli import bars
from monasca_events_client.cli import printable

#: Seconds before anything is shown, and between two plain lines.
_QUIET, _EVERY = 2.0, 30.0

#: Seconds between two looks at how long something has been waited for.
_LOOK = 1.0

#: Seconds between two changes of the line on a terminal.
_REFRESH = 0.1

_BAR = 24


class Progress:
    """Use it with ``with``: the line is gone at the end."""

    def __init__(self, stream: TextIO, what: str, width: int = 80,
                 clock: Callable[[], float] = time.monotonic,
                 before: Callable[[], None] = lambda: None) -> None:
        """:param what: what goes on, as ``posting events``
        :param before: called before something is told
        """
        self._before = before
        self._stream = stream
        self._what = what
        self._width = width
        self._clock = clock
        self._next = clock() + _QUIET
        self._drawn = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def show(self, text: str, share: float | None = None) -> None:
        """Tell how far it has come.

        :param share: from 0 to 1, None where nobody knows
        """
        now = self._clock()
        if now < self._next:
            return
        self._before()
        terminal = self._stream.isatty()
        self._next = now + (_REFRESH if terminal else _EVERY)
        line = printable.escape(f"{self._what}: {text}")
        if not terminal:
            known = "" if share is None else f" ({share:.0%})"
            self._stream.write(f"{line}{known}\n")
        else:
            if share is not None:
                drawn = printable.pad(bars.bar(share, _BAR), _BAR)
                line = f"[{drawn}] {share:4.0%}  {line}"
            self._stream.write(
                "\r" + printable.cut(line, self._width - 1) + "\x1b[K")
            self._drawn = True
        self._stream.flush()


class Waiting:
    """Tells how long an answer has been waited for, from a thread.

    On a terminal only: whoever reads a file later waits for nothing. Use it
    with ``with``, or stop it where something else is told.
    """

    def __init__(self, stream: TextIO, width: int = 80,
                 look: float = _LOOK, clock: Callable[[], float]
                 = time.monotonic) -> None:
        """:param look: seconds between two changes of the line"""
        self._progress = Progress(stream, "waiting for the answer", width,
                                  clock)
        self._clock = clock
        self._look = look
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True) \
            if stream.isatty() else None

    def __enter__(self) -> "Waiting":
        self._began = self._clock()
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Return when the line is gone and none will come."""
        if self._thread is None:
            return
        self._done.set()
        self._thread.join()
        self._thread = None
        self._progress.__exit__()

    def _run(self) -> None:
        while not self._done.wait(self._look):
            self._progress.show(f"{self._clock() - self._began:.0f} s")
