#!/bin/bash
#
# Installs, configures and starts Monasca Events in devstack.
#
#   [[local|localrc]]
#   enable_plugin monasca-events <URL of this repository>
#
# brings up the agent, the API, the persister, the engine and the panels of
# Horizon. devstack/settings has the variables, devstack/README.rst tells of
# them. devstack sources this file once for each phase.

_XTRACE_MONASCA_EVENTS=$(set +o | grep xtrace)
set +o xtrace

source "$MONASCA_EVENTS_DIR/devstack/lib/backends"
source "$MONASCA_EVENTS_DIR/devstack/lib/notifications"
source "$MONASCA_EVENTS_DIR/devstack/lib/accounts"
source "$MONASCA_EVENTS_DIR/devstack/lib/services"

$_XTRACE_MONASCA_EVENTS

if is_service_enabled monasca_events; then
    if [[ "$1" == "stack" && "$2" == "pre-install" ]]; then
        echo_summary "Preparing the system for Monasca Events"
        preinstall_monasca_events
    elif [[ "$1" == "stack" && "$2" == "install" ]]; then
        echo_summary "Installing Monasca Events"
        install_monasca_events
    elif [[ "$1" == "stack" && "$2" == "post-config" ]]; then
        echo_summary "Configuring Monasca Events"
        # What runs already would go on with the old configuration.
        stop_monasca_events
        create_monasca_events_accounts
        start_monasca_events_backends
        configure_monasca_events
        configure_monasca_events_horizon
        init_monasca_events
        switch_monasca_events_notifications_on
    elif [[ "$1" == "stack" && "$2" == "extra" ]]; then
        echo_summary "Starting Monasca Events"
        start_monasca_events
    elif [[ "$1" == "stack" && "$2" == "test-config" ]]; then
        echo_summary "Configuring Tempest for Monasca Events"
        configure_tempest_for_monasca_events
    fi

    if [[ "$1" == "unstack" ]]; then
        echo_summary "Shutting down Monasca Events"
        stop_monasca_events
        stop_monasca_events_backends
    fi

    if [[ "$1" == "clean" ]]; then
        echo_summary "Removing Monasca Events"
        switch_monasca_events_notifications_off
        remove_monasca_events_accounts
        stop_monasca_events_backends
        cleanup_monasca_events
    fi
fi
