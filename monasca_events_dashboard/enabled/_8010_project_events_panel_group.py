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

from django.utils.translation import gettext_lazy as _

from monasca_events_client import errors

PANEL_GROUP = "events"
PANEL_GROUP_NAME = _("Events")
PANEL_GROUP_DASHBOARD = "project"

ADD_INSTALLED_APPS = ["monasca_events_dashboard"]
ADD_JS_FILES = ["monasca_events/histogram.js", "monasca_events/timeline.js",
                "monasca_events/forms.js"]
ADD_SCSS_FILES = ["monasca_events/monasca_events.scss"]

# So that Horizon knows these where one gets past a page.
ADD_EXCEPTIONS = {"recoverable": (errors.ClientError,),
                  "not_found": (errors.NotFound,),
                  "unauthorized": (errors.Unauthorized,)}
