#!/bin/bash
#
# Runs the phases of the plugin as stack.sh, unstack.sh and clean.sh do:
#
#   run.sh VARIABLES stack|unstack|clean
#
# VARIABLES is a file of what devstack knows when it sources a plugin. As
# there, an error ends a stack, and the two others go on.

VARIABLES=$1
MODE=$2

source "$(dirname "${BASH_SOURCE[0]}")/functions"
source "$VARIABLES"
export PATH=$HARNESS_BIN:$DEVSTACK_VENV/bin:$PATH

source "$DEST/monasca-events/devstack/settings"

function run_phase {
    local began=$SECONDS
    source "$DEST/monasca-events/devstack/plugin.sh" "$@"
    echo "-- $* took $((SECONDS - began)) s"
}

case $MODE in
    stack)
        set -o errexit
        trap 'echo "ERROR: ${BASH_SOURCE[0]}: line $LINENO: $BASH_COMMAND" >&2' ERR
        set -o errtrace
        run_phase stack pre-install
        run_phase stack install
        # Keystone is up from here on, with what every cloud has.
        get_or_create_project "$SERVICE_PROJECT_NAME" "$SERVICE_DOMAIN_NAME" > /dev/null
        get_or_create_role service > /dev/null
        run_phase stack post-config
        run_phase stack extra
        run_phase stack test-config
        ;;
    unstack) run_phase unstack ;;
    clean) run_phase clean ;;
esac
