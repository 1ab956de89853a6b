#!/usr/bin/env bash
#
# Starts Monasca Events on this machine from a fresh clone: makes a virtual
# environment, starts every service on SQLite files, sends generated
# notifications and shows events arriving and a search answering.
#
#   tools/standalone.sh [--no-demo] [--state-dir DIR] [--port PORT]
#
# --no-demo       start the services and leave the traffic to you
# --state-dir DIR where everything is kept (~/.local/state/monasca-events)
# --port PORT     port of the API on 127.0.0.1 (5656)
# Ctrl-C ends it.
set -u
arguments=()
demo=--demo
while [ $# -gt 0 ]; do
    case "$1" in
        -h|--help) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 0;;
        --no-demo) demo=;;
        --state-dir)
            if [ $# -lt 2 ]; then
                echo "error: --state-dir needs a folder" >&2
                exit 2
            fi
            # Relative to where the caller stands, not to the project.
            arguments+=("--state-dir=$(realpath -m "$2")"); shift;;
        *) arguments+=("$1");;
    esac
    shift
done
cd "$(dirname "$0")/.." || exit 1
. tools/venv.sh
make_venv .venv-standalone standalone || exit 1
exec .venv-standalone/bin/monasca-events-standalone $demo "${arguments[@]}"
