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

"""What ``openstack`` asks of a plug-in: names, options, and the client."""

import argparse
import os
from typing import Any

from monasca_events_client.client import Client
from monasca_events_client.transport import Retries

DEFAULT_API_VERSION = "1"
API_VERSION_OPTION = "os_event_api_version"
API_NAME = "event"
API_VERSIONS = {"1": "monasca_events_client.client.Client"}

#: Somebody sits there and waits: tell them soon.
_RETRIES = Retries(tries=3, seconds=15.0)


def make_client(instance: Any) -> Client:
    """Return the client of a cloud.

    :param instance: the client manager of osc-lib
    """
    return Client(instance.session, region_name=instance.region_name,
                  interface=instance.interface or "public",
                  endpoint_override=instance.get_configuration().get(
                      "event_endpoint_override"), retries=_RETRIES)


def build_option_parser(parser: argparse.ArgumentParser
                        ) -> argparse.ArgumentParser:
    """Return the parser with this service's global options."""
    parser.add_argument(
        "--os-event-api-version", metavar="<event-api-version>",
        default=os.environ.get("OS_EVENT_API_VERSION", ""),
        help="Event API version, default="
             f"{DEFAULT_API_VERSION} (Env: OS_EVENT_API_VERSION)")
    return parser
