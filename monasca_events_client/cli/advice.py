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

"""What to do about an error, in the same line in which it is told."""

from collections.abc import Mapping

from monasca_events_client import errors

#: Code of an answer → what helps. Where the message says it, nothing.
_BY_CODE: Mapping[str, str] = {
    "unauthorized": "check --os-cloud, or the credentials in the environment",
    "no_credentials": "check --os-cloud, or the credentials in the "
                      "environment",
    "unreachable": "is the service up, and is this its address?",
    "no_endpoint": "ask the operator to register the service, or set "
                   "event_endpoint_override in clouds.yaml",
    "not_json": "see event_endpoint_override in clouds.yaml, or the catalog",
    "internal_error": "give the operator the request id",
    "quota_exceeded": "delete what is not needed, or ask the operator for "
                      "more",
    "name_taken": "choose another name, or change the one there is with "
                  "'set'",
    "revision_mismatch": "show it again, and repeat the change",
    "ambiguous": "give the whole id",
    "in_use": "--force takes it out of them",
    "forbidden": "this needs another role; the operator knows which",
    "unknown_template": "'openstack event trigger template list' shows those "
                        "there are",
    "unknown_method": "'openstack event notification-method list' shows "
                      "those there are",
    "nothing_waits": "'openstack event firing show' tells what became of "
                     "the deliveries",
    "too_costly": "use fewer wildcards and alternatives",
    "backtest_unfinished": "try a shorter time, or a longer --timeout",
}

_LATER = "try again later"


def sentence(error: Exception) -> str:
    """Return what went wrong, where, and what to do, in one line."""
    if not isinstance(error, errors.ClientError):
        return " ".join(str(error).split())
    message = error.message
    if error.code == "in_use":
        # The API tells of a parameter, which is an option here.
        message = message.partition("; ")[0]
    parts = [" ".join(message.split())]
    if error.where and error.where not in parts[0]:
        parts[0] += f" (at {error.where})"
    advice = _BY_CODE.get(error.code)
    if advice is None and isinstance(error, errors.ServiceUnavailable):
        advice = _LATER if error.retry_after is None \
            else f"{_LATER}, in {error.retry_after:.0f} s"
    if advice:
        parts.append(advice)
    text = "; ".join(parts)
    if error.request_id and isinstance(error, errors.ServerError):
        text += f" ({error.request_id})"
    return text
