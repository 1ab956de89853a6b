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

"""What becomes of a delivery after an attempt: tried again, and when.

The delay doubles with each attempt, and half of it is chance, so that what
failed together does not come back together. Pure; time and chance are
arguments.
"""

import dataclasses
import random

from oslo_config import cfg
import orjson

from monasca_events_common import printable

GROUP = "retry_engine"

OPTS = [
    cfg.FloatOpt("interval", default=30.0, min=0.0, mutable=True,
                 help="Seconds after which a delivery that failed is tried "
                      "again; twice as many after the second time, and so "
                      "on. From a half of that to all of it, by chance."),
    cfg.IntOpt("max_attempts", default=5, min=1, mutable=True,
               help="Attempts after which a delivery is parked. It waits "
                    "there until somebody asks for it to be delivered "
                    "again, or retention removes it."),
    cfg.FloatOpt("max_interval", default=3600.0, min=1.0, mutable=True,
                 help="Seconds between two attempts at the most, also where "
                      "the receiver asks for more."),
]

PENDING = "pending"
WAITING = "waiting"
DELIVERED = "delivered"
PARKED = "parked"
CANCELLED = "cancelled"

#: Characters of an error that are kept.
MAX_ERROR = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be written of a delivery.

    :ivar delivery_id: whose
    :ivar status: PENDING where it is tried again, else DELIVERED, PARKED or
        CANCELLED
    :ivar attempts: made so far
    :ivar next_at: seconds since the epoch; when it may be tried again
    :ivar error: a sentence, None where all went well
    :ivar result: JSON of what the action returned, else None
    """

    delivery_id: str
    status: str
    attempts: int
    next_at: float
    error: str | None = None
    result: str | None = None


def delivered(delivery_id: str, attempt: int, now: float, result,
              most: int = 16 * 1024) -> Outcome:
    """Return the outcome of an attempt that worked.

    :param result: what the action returned
    :param most: bytes of it that are kept
    """
    try:
        text = orjson.dumps(result).decode()
    except TypeError:
        # A third party's slip must not have the delivery made again.
        text = orjson.dumps({"unreadable": type(result).__name__}).decode()
    if len(text) > most:
        text = orjson.dumps({"truncated": len(text)}).decode()
    return Outcome(delivery_id, DELIVERED, attempt, now, result=text)


def given_up(delivery_id: str, attempt: int, now: float, error: str,
             status: str = PARKED) -> Outcome:
    """Return the outcome of a delivery that is not tried again."""
    return Outcome(delivery_id, status, attempt, now, _short(error))


def failed(delivery_id: str, attempt: int, now: float, error: str,
           retry_after: float, conf, rng: random.Random) -> Outcome:
    """Return the outcome of an attempt that may work later.

    :param attempt: its number, from 1
    :param retry_after: seconds for which the other side wants to be left
        alone
    :param conf: the group ``[retry_engine]``
    """
    if attempt >= conf.max_attempts:
        return given_up(delivery_id, attempt, now,
                        f"{_short(error)} (attempt {attempt}, the last)")
    ceiling = min(conf.max_interval,
                  conf.interval * 2 ** min(attempt - 1, 20))
    delay = max(rng.uniform(ceiling / 2, ceiling),
                min(retry_after, conf.max_interval))
    return Outcome(delivery_id, PENDING, attempt, now + delay, _short(error))


def _short(error: str) -> str:
    return printable.escape(error, MAX_ERROR)
