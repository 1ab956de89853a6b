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


"""How the process asks for memory: little of it stays unused.

Called once by the command; under a web server of another's it is that one's
business (MALLOC_ARENA_MAX in its environment does the same).
"""

import ctypes

# From glibc's malloc.h.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_ARENAS = 2
_LARGE = 256 * 1024


def spare() -> None:
    """Keep glibc from holding on to what each thread needed once.

    By default each thread has an arena of its own, and each keeps the room
    of the largest request that it ever served. The interpreter's lock lets
    one thread allocate at a time, so that several gain nothing. What is
    large goes back to the system when it is freed. Does nothing where the C
    library is another one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_M_ARENA_MAX, _ARENAS)
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
