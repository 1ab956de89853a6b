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

"""Addresses below ``/project/event_methods/``."""

from django.urls import re_path

from monasca_events_dashboard.notification_methods import views

_ONE = r"^(?P<method_id>[0-9a-f-]{36})/"

urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^create/$", views.CreateView.as_view(), name="create"),
    re_path(rf"{_ONE}$", views.DetailView.as_view(), name="detail"),
    re_path(rf"{_ONE}update/$", views.UpdateView.as_view(), name="update"),
    re_path(rf"{_ONE}test/$", views.TestView.as_view(), name="test"),
    re_path(rf"{_ONE}rotate/$", views.RotateView.as_view(), name="rotate"),
    re_path(rf"{_ONE}delete/$", views.DeleteView.as_view(), name="delete"),
]
