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

"""What went wrong, in words for who looks at the page."""

from django.utils.translation import gettext as _
from horizon import exceptions

from monasca_events_client import errors


def explain(error: errors.ClientError) -> str:
    """Return a sentence or two: what is wrong and what may help."""
    text = _sentence(error)
    if error.request_id and not isinstance(error, (errors.BadRequest,
                                                   errors.NotFound)):
        text += " " + _("Your administrator finds it in the log as %s.") \
            % error.request_id
    return text


def raise_if_expired(error: errors.ClientError) -> None:
    """Have Horizon ask for the password again where that is what helps."""
    if isinstance(error, (errors.Unauthorized, errors.NoCredentials)):
        raise exceptions.NotAuthenticated from error


def _sentence(error: errors.ClientError) -> str:
    if isinstance(error, errors.Forbidden):
        return _("Your roles in this project do not allow this: %s.") \
            % _plain(error)
    if isinstance(error, errors.NotFound):
        return _("It is not there, or it belongs to another project.")
    if isinstance(error, errors.TooManyRequests):
        return _("Too much was asked in a short time. Wait a moment.")
    if isinstance(error, errors.ServiceUnavailable):
        return _("The event service cannot answer just now: %s. Try again "
                 "in a moment.") % _plain(error)
    if isinstance(error, errors.Unreachable):
        return _("The event service does not answer. Try again in a "
                 "moment; tell your administrator if that does not help.")
    if isinstance(error, errors.ServerError):
        return _("The event service failed at this.")
    if isinstance(error, errors.PreconditionFailed):
        return _("Somebody else has changed this meanwhile. What you see "
                 "now is what it is; make your change again.")
    text = _plain(error)
    return text[:1].upper() + text[1:] + "."


def _plain(error: errors.ClientError) -> str:
    return error.message.rstrip(". ")
