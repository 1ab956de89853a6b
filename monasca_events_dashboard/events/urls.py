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

"""Addresses below ``/project/events/``."""

from django.urls import re_path

from monasca_events_dashboard.events import views

urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^types/$", views.TypesView.as_view(), name="types"),
    re_path(r"^timeline/$", views.TimelineView.as_view(), name="timeline"),
    re_path(r"^(?P<event_id>[^/]+)/$", views.DetailView.as_view(),
            name="detail"),
]
