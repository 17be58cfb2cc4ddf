#!/usr/bin/env bash
# Prepares this checkout: installs the servers from Debian packages, and the locked Python packages into .venv. Installs
# only what is missing, so that every other command can call it first.
#
#   setup.sh stack   what the local stack needs: `make up` and `make demo`
#   setup.sh         also what the tests need
#
# PYTHON names the interpreter that creates .venv. Without it, that is the interpreter of an existing .venv, or python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly policy=/usr/sbin/policy-rc.d
readonly policy_mark='# Made by Longshore for the time of one installation.'
# The oldest Python that pyproject.toml allows.
readonly oldest_python=3.11
# Seconds to wait for another package manager: unattended upgrades hold apt's locks for minutes after a boot.
readonly apt_lock_seconds=300
readonly apt_poll_seconds=2

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

# Sets `python` to the interpreter to use. Exits with an instruction if it is missing or too old.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        python=$PYTHON
    elif venv_works; then
        python=.venv/bin/python
    else
        python=python3
    fi
    local advice="Install Python $oldest_python or later, and name it: make PYTHON=/usr/bin/python$oldest_python demo"
    command -v "$python" >/dev/null || die "$python is not installed. $advice"
    "$python" -c "import sys; sys.exit(sys.version_info < (${oldest_python/./, }))" ||
        die "$python is $("$python" -V 2>&1), which is too old. $advice"
}

# Whether .venv has a working interpreter with pip: not after an upgrade of the interpreter that it was created with.
venv_works() { .venv/bin/python -c 'import pip' 2>/dev/null; }

# Prints the version and the build of an interpreter.
version_of() { "$1" -c 'import sys; print(sys.version)'; }

# Prints the Debian packages of the stack whose files are missing. The files are checked instead of dpkg's database,
# because another package or a manual installation may also provide them.
missing_packages() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
    [ -x /usr/bin/docker-registry ] || echo docker-registry
    venv_works || "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$(basename "$python")-venv"
}

# Prints the missing packages that only the tests need. They are as large as all the others.
missing_test_packages() {
    # For tests with wrong clocks.
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || echo libfaketime
    # Docker's own packages install dockerd elsewhere, and Debian's package would replace them.
    [ -x /usr/sbin/dockerd ] || [ -x /usr/bin/dockerd ] || {
        echo docker.io
        [ -x /usr/bin/containerd ] || echo containerd
    }
    # The browser for the tests of the console.
    [ -x /usr/bin/chromium ] || echo chromium
    # The browser's driver is a Node.js that is linked to this library.
    compgen -G '/usr/lib/*/libatomic.so.1' >/dev/null || echo libatomic1
    # For the commands in the documents.
    command -v curl >/dev/null || echo curl
}

# Debian starts a service as soon as its package is installed, unless this file forbids it.
forbid_services() {
    if [ -e "$policy" ] && ! grep -qF "$policy_mark" "$policy"; then
        say "keeping your $policy: it decides whether the new packages start their services"
        return
    fi
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

# Otherwise the services would start at the next boot, on their default ports.
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

# Runs apt-get; it waits for the lock of dpkg.
apt_get() {
    as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q -o "DPkg::Lock::Timeout=$apt_lock_seconds" "$@"
}

# `apt-get update` does not wait for the lock of the package lists (apt 2.6 ignores the timeout there), so retry it.
update_package_lists() {
    local output limit=$((SECONDS + apt_lock_seconds))
    until output=$(apt_get update 2>&1); do
        printf '%s\n' "$output"
        [[ $output == *"Could not get lock"* ]] && [ "$SECONDS" -lt "$limit" ] || return 1
        say "waiting for another package manager"
        sleep "$apt_poll_seconds"
    done
}

install_packages() {
    command -v apt-get >/dev/null || die "this needs Debian or Ubuntu; elsewhere install: $*"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "as root, please: apt-get install $*"
    say "installing Debian packages: $*"
    local log
    log=$(mktemp)
    forbid_services
    { update_package_lists && apt_get -y install --no-install-recommends "$@"; } >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "apt-get failed; the whole of its output is in $log"
    }
    rm -f "$log"
    disable_services "$@"
}

# Prints the lock files of a mode. The build requirements install this checkout itself.
requirements_of() {
    case $1 in
    stack) printf '%s\n' requirements.txt requirements-build.txt ;;
    *) printf '%s\n' requirements-dev.txt ;;
    esac
}

# Prints the file that records what a mode's packages in .venv were installed from.
stamp() { printf '.venv/longshore-setup-%s\n' "$1"; }

# Prints a hash of what a mode's environment depends on: the locks, the project's own metadata, the interpreter, and the
# path of the checkout, which the scripts in .venv contain.
fingerprint() {
    {
        requirements_of "$1" | xargs cat pyproject.toml longshore_client/pyproject.toml
        version_of "$python"
        pwd
    } | sha256sum
}

up_to_date() { [ "$(cat "$(stamp "$1")" 2>/dev/null)" = "$(fingerprint "$1")" ]; }

create_venv() {
    # An environment of another interpreter, or of one that no longer exists, cannot be repaired.
    venv_works && [ "$(version_of .venv/bin/python)" = "$(version_of "$python")" ] || rm -rf .venv
    [ -d .venv ] || "$python" -m venv .venv
}

install_requirements() {
    local file arguments=() pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517)
    for file in "$@"; do arguments+=(-r "$file"); done
    "${pip[@]}" --require-hashes "${arguments[@]}"
    # One after the other: in an older .venv, the server's distribution owns the command `longshore` and removes it.
    "${pip[@]}" --no-deps --no-build-isolation --editable .
    "${pip[@]}" --no-deps --no-build-isolation --editable ./longshore_client
}

make_environment() {
    local requirements
    mapfile -t requirements < <(requirements_of "$1")
    say "installing ${requirements[*]} into .venv"
    create_venv
    # Both stamps: an interrupted installation is not up to date, and the other mode's versions may have changed.
    rm -f "$(stamp stack)" "$(stamp full)"
    install_requirements "${requirements[@]}"
    # requirements-dev.txt contains the packages of both modes, at the same versions.
    fingerprint stack >"$(stamp stack)"
    [ "$1" = stack ] || fingerprint full >"$(stamp full)"
}

main() {
    local mode=${1:-full}
    case $mode in stack | full) ;; *) die "usage: setup.sh [stack]" ;; esac
    mkdir -p .cache
    # If two commands run in one checkout at once, the second waits, and then finds nothing to do.
    exec 9>.cache/setup.lock
    flock 9
    choose_python
    local packages
    mapfile -t packages < <(
        missing_packages
        [ "$mode" = stack ] || missing_test_packages
    )
    [ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
    up_to_date "$mode" || make_environment "$mode"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
