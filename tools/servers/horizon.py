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

"""Horizon: the dashboard on the keystone of the same state directory.

What was installed in the cache is shared by all state directories and never
changed: plug-ins, their `enabled` files and the settings lie in the state
directory, and are put before it on the search path.
"""

import ast
import hashlib
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from servers import HOST, Failed, Instance, Launch, NotReady, Server
from servers import checkouts
from servers import probes
from servers import progress
from servers import sources
from servers import tasks
from servers import wsgi

VERSION = "27.0.0"
_REQUIREMENTS = (f"horizon=={VERSION}", wsgi.GUNICORN)
_SETTINGS = '''from openstack_dashboard import local

local.__path__.insert(0, {local!r})

from openstack_dashboard.settings import *  # noqa: E402,F403

HORIZON_CONFIG["user_home"] = {user_home!r}
for _path in {snippets!r}:
    exec(compile(open(_path).read(), _path, "exec"))
'''
# StaticFilesHandler, for there is no web server before it.
_APPLICATION = """
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

application = StaticFilesHandler(get_wsgi_application())
"""
# A page that there is whatever the catalog holds.
_USER_HOME = "/project/api_access/"


class Horizon(Server):
    """Settings are `plugins`, `requirements`, `user_home`, or Django's."""

    name = "horizon"
    needs = ("keystone",)
    ready_seconds = 180.0

    def fetch(self, cache: pathlib.Path) -> None:
        sources.virtualenv(_environment(cache), _REQUIREMENTS)

    def defaults(self, peers: Mapping[str, Mapping[str, Any]]
                 ) -> dict[str, str]:
        return {"OPENSTACK_KEYSTONE_URL": peers["keystone"]["auth_url"]}

    def prepare(self, instance: Instance) -> None:
        _install_plugins(instance)
        home = instance.directory
        shutil.rmtree(home / "local", ignore_errors=True)
        snippets = _copied(instance, "local_settings.d")
        _copied(instance, "enabled")
        for folder in ("local", "local/enabled", "sessions"):
            (home / folder).mkdir(exist_ok=True)
        for package in ("local", "local/enabled"):
            (home / package / "__init__.py").touch()
        (home / "local/local_settings.py").write_text(render(instance))
        (home / "horizon_settings.py").write_text(_SETTINGS.format(
            local=str(home / "local"), snippets=list(map(str, snippets)),
            user_home=instance.settings.get("user_home", _USER_HOME)))
        wsgi.write(instance, _APPLICATION, ["horizon"])
        _collect(instance)

    def launches(self, instance: Instance) -> Sequence[Launch]:
        return [wsgi.launch(instance, _environment(instance.cache),
                            _variables(instance))]

    def probe(self, instance: Instance) -> None:
        status, page = probes.http_text(instance.port, "/auth/login/",
                                        timeout=60.0)
        if status != 200 or "csrfmiddlewaretoken" not in page:
            raise NotReady(f"GET /auth/login/ says {status}")

    def describe(self, instance: Instance) -> dict[str, Any]:
        return {"url": f"http://{HOST}:{instance.port}/",
                "version": VERSION, "plugins": [
                    path.name for path in _found(instance, "enabled")]}


def render(instance: Instance) -> str:
    """Return local_settings.py."""
    home = instance.directory
    values: dict[str, Any] = {
        "DEBUG": False,
        "ALLOWED_HOSTS": [HOST, "localhost"],
        "WEBROOT": "/",
        "SECRET_KEY": instance.secret,
        "TIME_ZONE": "UTC",
        "OPENSTACK_KEYSTONE_MULTIDOMAIN_SUPPORT": False,
        # Only public endpoints are in the catalog.
        "OPENSTACK_ENDPOINT_TYPE": "publicURL",
        "CACHES": {"default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        # A cookie would be too small for a token with a long catalog.
        "SESSION_ENGINE": "django.contrib.sessions.backends.file",
        "SESSION_FILE_PATH": str(home / "sessions"),
        "COMPRESS_ENABLED": True,
        "COMPRESS_OFFLINE": True,
        "STATIC_ROOT": str(home / "static"),
        **{key: literal(value) for key, value in instance.settings.items()
           if key.isupper()}}
    for key in instance.settings:
        if not key.isupper() and key not in ("plugins", "requirements",
                                             "user_home"):
            raise Failed(f"horizon: no setting {key}: use plugins, "
                         "requirements, user_home, or a setting of Django's, "
                         "in capitals")
    return "".join(f"{key} = {value!r}\n" for key, value in values.items())


def literal(text: str) -> Any:
    """Return what `text` is in Python, or `text` if it is nothing."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _install_plugins(instance: Instance) -> None:
    paths = [pathlib.Path(path).expanduser().absolute()
             for path in _listed(instance, "plugins")]
    requirements = _listed(instance, "requirements")
    content = " ".join([*requirements, checkouts.digest(paths)])
    with sources.filling(_site(instance), content) as todo:
        if todo and (paths or requirements):
            progress.say("horizon: installing its plug-ins")
            checkouts.install(_environment(instance.cache), _site(instance),
                              paths, requirements)


def _collect(instance: Instance) -> None:
    """Gather and compress scripts and styles, if anything changed."""
    found = hashlib.sha256((instance.directory / "local/local_settings.py")
                           .read_bytes())
    for path in sorted(_site(instance).rglob("*")):
        if (path.is_file() and not path.parent.name.endswith(".dist-info")
                and (path.suffix not in (".py", ".pyc")
                     or "enabled" in path.parts)):
            found.update(f"{path}\0".encode() + path.read_bytes())
    static = instance.directory / "static"
    with sources.filling(static, found.hexdigest()) as todo:
        if not todo:
            return
        progress.say("horizon: compressing scripts and styles")
        python = str(_environment(instance.cache) / "bin/python")
        for words in (["collectstatic", "--noinput", "-v0"],
                      ["compress", "--force", "-v0"]):
            tasks.run(f"horizon: {words[0]}", [
                python, "-m", "django", *words], env=_variables(instance))


def _copied(instance: Instance, folder: str) -> list[pathlib.Path]:
    """Copy what the plug-ins bring for `local/FOLDER`; return the copies."""
    copies = []
    for path in _found(instance, folder):
        copy = instance.directory / "local" / folder / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copies.append(copy)
    return copies


def _found(instance: Instance, folder: str) -> list[pathlib.Path]:
    site = _site(instance)
    return sorted((*site.glob(f"*/{folder}/_[0-9]*.py"),
                   *site.glob(f"*/local/{folder}/_[0-9]*.py")),
                  key=lambda path: path.name)


def _listed(instance: Instance, key: str) -> list[str]:
    return [word for word in instance.settings.get(key, "").split(",")
            if word]


def _variables(instance: Instance) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "horizon_settings",
            "PYTHONPATH": f"{instance.directory}:{_site(instance)}"}


def _site(instance: Instance) -> pathlib.Path:
    return instance.directory / "site"


def _environment(cache: pathlib.Path) -> pathlib.Path:
    return cache / f"horizon-{VERSION}"
