#!/usr/bin/env bash
# Makes this checkout ready to run: Debian's packages of the servers, and .venv with the locked
# Python packages. Does only what is missing, so that every other command can call it first. `setup.sh stack` leaves out
# the Debian packages that only tests need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly policy=/usr/sbin/policy-rc.d
readonly policy_mark='# Made by Longshore for the time of one installation.'
readonly stamp=.venv/longshore-setup
readonly requirements=requirements-dev.txt

say() { printf 'setup: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Prints the Debian packages of a stack whose files are missing. A file says more than dpkg does: it may also
# have come from another package or by hand.
missing_packages() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
    [ -x /usr/bin/docker-registry ] || echo docker-registry
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# The same for what only the tests need: as large as all the rest.
missing_test_packages() {
    # Clocks that are wrong.
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || echo libfaketime
    # Docker's own packages have it elsewhere, and Debian's would replace them.
    [ -x /usr/sbin/dockerd ] || [ -x /usr/bin/dockerd ] || {
        echo docker.io
        [ -x /usr/bin/containerd ] || echo containerd
    }
    # The console's browser.
    [ -x /usr/bin/chromium ] || echo chromium
    # What drives it is a Node that is linked to this.
    compgen -G '/usr/lib/*/libatomic.so.1' >/dev/null || echo libatomic1
    # The documents' commands.
    command -v curl >/dev/null || echo curl
}

# Debian starts a service as soon as its package is installed, unless this file says no.
forbid_services() {
    if [ -e "$policy" ] && ! grep -qF "$policy_mark" "$policy"; then
        say "keeping your $policy: it decides whether the new packages start their services"
        return
    fi
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

# Without this they would start at the next boot, on the usual ports.
disable_services() {
    command -v systemctl >/dev/null || return 0
    local package unit units
    for package in "$@"; do
        case $package in
        postgresql | docker-registry) units=("$package.service") ;;
        docker.io) units=(docker.service docker.socket) ;;
        containerd) units=(containerd.service) ;;
        rabbitmq-server) units=(rabbitmq-server.service epmd.service epmd.socket) ;;
        *) units=() ;;
        esac
        for unit in "${units[@]}"; do
            as_root systemctl --quiet disable "$unit" 2>/dev/null || say "systemctl could not disable $unit"
        done
    done
}

install_packages() {
    command -v apt-get >/dev/null || die "this needs Debian or Ubuntu; elsewhere install: $*"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "as root, please: apt-get install $*"
    say "installing Debian packages: $*"
    local log
    log=$(mktemp)
    forbid_services
    {
        as_root apt-get -q update &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@"
    } >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "apt-get failed; the whole of its output is in $log"
    }
    rm -f "$log"
    disable_services "$@"
}

# What the environment was made from: the lock, the project's own metadata, the interpreter, and
# the place, because scripts in .venv name it.
fingerprint() {
    {
        cat "$requirements" pyproject.toml
        python3 -c 'import sys; print(sys.version)'
        pwd
    } | sha256sum
}

make_environment() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "python3 is older than 3.11"
    say "making .venv from $requirements"
    # One that does not run any more, because its interpreter went away, cannot be repaired.
    .venv/bin/python -c 'import pip' 2>/dev/null || rm -rf .venv
    [ -d .venv ] || python3 -m venv .venv
    local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517)
    "${pip[@]}" --require-hashes -r "$requirements"
    "${pip[@]}" --no-deps --no-build-isolation --editable .
    fingerprint >"$stamp"
}

main() {
    mkdir -p .cache
    # Two commands at once in one checkout: the second waits and then finds nothing to do.
    exec 9>.cache/setup.lock
    flock 9
    command -v python3 >/dev/null || die "python3 is missing"
    local packages
    mapfile -t packages < <(
        missing_packages
        [ "${1:-}" = stack ] || missing_test_packages
    )
    [ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
    [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint)" ] || make_environment
}

main "$@"
