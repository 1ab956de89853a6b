#!/usr/bin/env bash
#
# Sourced by standalone.sh and test.sh: makes a virtual environment once, and
# again only when what it is made from has changed.

# make_venv FOLDER EXTRAS [REQUIREMENTS]: leaves FOLDER/bin/python usable.
make_venv() {
    local folder=$1 extras=$2 requirements=${3:-}
    local python=${PYTHON:-python3}
    command -v "$python" >/dev/null || {
        echo "error: no $python here; install Python 3.11 or newer" >&2
        return 1
    }
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "error: $("$python" --version) is too old; 3.11 or newer is" \
             "needed (set PYTHON to choose another)" >&2
        return 1
    }
    "$python" -c 'import venv, ensurepip' 2>/dev/null || {
        echo "error: $python has no venv module; install it (Debian:" \
             "apt-get install python3-venv)" >&2
        return 1
    }
    local stamp
    stamp=$(cat setup.cfg requirements.txt constraints.txt $requirements |
            sha256sum | cut -c1-64)-$extras
    if [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    echo "Making the virtual environment $folder (once) …" >&2
    "$python" -m venv "$folder" || return 1
    # pbr takes the version from git; a checkout without history has none.
    if ! git describe --always >/dev/null 2>&1; then
        export PBR_VERSION=${PBR_VERSION:-0.0.1}
    fi
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable ".[$extras]" \
        ${requirements:+--requirement "$requirements"} || {
        echo "error: pip could not install what is needed; its message is" \
             "above" >&2
        return 1
    }
    echo "$stamp" >"$folder/stamp"
}
