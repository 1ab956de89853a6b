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

"""How many streams a worker of another web server than our own may serve.

There a stream takes one of the threads that serve requests, for minutes; our
own server has threads beside them. Asked once, by the WSGI module, in the
process that is to serve; what one process may serve at once is the server's
affair and is only looked at here.
"""

import sys

#: Where nobody knows how many threads there are: a server of several threads
#: has one to spare. Whether it has several is told with each request.
_UNKNOWN = 1


def threads_of_server() -> int | None:
    """Return how many requests this process serves at once.

    uwsgi and mod_wsgi put a module of their own into a process of theirs. None
    under a server that does not tell: gunicorn and others.
    """
    for name, attribute in (("uwsgi", "cores"),
                            ("mod_wsgi", "threads_per_process")):
        found = getattr(sys.modules.get(name), attribute, None)
        if isinstance(found, int):
            return found
    return None


def spare(threads: int | None, requests: int) -> int:
    """Return how many of a server's threads streams may take.

    :param threads: how many there are, None where that is not known
    :param requests: how many of them requests shall have; where there are
        fewer than twice as many, requests keep one half of them
    """
    if threads is None:
        return _UNKNOWN
    return max(threads // 2, threads - requests)
