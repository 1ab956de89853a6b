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

"""The command line of what people type, as against daemons.

Apart from oslo.config's own parser, which runs the lines of examples
together and answers a mistake with a page of logging options. A command makes
its arguments with this and hands the configuration files on to
:func:`monasca_events_common.config.load`.
"""

import argparse
import sys


class Parser(argparse.ArgumentParser):
    """Keeps the lines of examples; answers a mistake with one line."""

    def __init__(self, *args, **kwargs) -> None:
        kwargs.setdefault("formatter_class",
                          argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str):
        print(f"error: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the options that name configuration files."""
    for option, metavar, what in (
            ("--config-file", "PATH", "a configuration file to read"),
            ("--config-dir", "DIR", "a directory of *.conf files to read")):
        parser.add_argument(option, metavar=metavar, action="append",
                            default=[], help=f"{what}; may be repeated")


def config_arguments(given: argparse.Namespace) -> list[str]:
    """Return what ``config.load`` wants to be told of them."""
    return [f"{option}={value}" for option, values in (
        ("--config-file", given.config_file),
        ("--config-dir", given.config_dir)) for value in values]
