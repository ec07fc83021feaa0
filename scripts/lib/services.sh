# shellcheck shell=bash
#
# The PostgreSQL and the Redis that tests run on: our own, in a temporary folder, on free ports of 127.0.0.1.
# To be sourced by a bash script, which then calls
#
#   services_start          installs what is missing where it may, starts both and exports
#                             ROOMCAST_TEST_POSTGRES_URL   a superuser's URL; TLS is offered, not demanded
#                             ROOMCAST_TEST_POSTGRES_CA    the certificate authority to verify that TLS with
#                             ROOMCAST_TEST_POSTGRES_BIN   PostgreSQL's programs, for servers that a test stops
#                             ROOMCAST_TEST_POSTGRES_HOME  a folder for those, owned by the user to run them as
#                             ROOMCAST_TEST_REDIS_URL
#                             TMPDIR                       a folder that goes when the script ends
#   services_run COMMAND…   runs a command to its end and returns its status
#
# However the script ends, an interrupt included, the command, both servers and the folder are gone afterwards.

set -euo pipefail

# What exists so far, and so what has to be undone.
services_dir=
services_policy_file=
postgres_pid=
redis_pid=
command_group=

# Commands inherit stdin, and some callers close it.
{ : <&0; } 2>/dev/null || exec </dev/null

services_say() {
    printf '%s\n' "$*" >&2
}

services_die() {
    services_say "$*"
    exit 1
}

# --- What has to be installed ---------------------------------------------------------------------------------

# The folder of the newest PostgreSQL server. Debian keeps it off the PATH.
postgres_bin() {
    local server servers
    mapfile -t servers < <(
        printf '%s\n' /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres | sort -Vr
        readlink -f "$(command -v postgres)"
    )
    for server in "${servers[@]}"; do
        if [[ -x $server && -x ${server%/*}/initdb ]]; then
            echo "${server%/*}"
            return 0
        fi
    done
    return 1
}

missing_packages() {
    postgres_bin >/dev/null || echo postgresql
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null || echo redis-server
    command -v openssl >/dev/null || echo openssl
    command -v nginx >/dev/null || echo nginx-light
    command -v systemd-analyze >/dev/null || echo systemd
}

# install_packages PACKAGE…: with apt-get where we may, otherwise says what to install and exits.
install_packages() {
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        services_die "Please install what is missing and try again, on Debian with: sudo apt-get install $*"
    fi
    services_say "Installing $*"

    # Debian starts a freshly installed server. We want the programs, not a server on the usual ports.
    if [[ ! -e /usr/sbin/policy-rc.d ]]; then
        services_policy_file=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$services_policy_file"
        chmod 755 "$services_policy_file"
    fi
    export DEBIAN_FRONTEND=noninteractive
    local apt_get=(apt-get -qq -o DPkg::Lock::Timeout=120)
    "${apt_get[@]}" update
    "${apt_get[@]}" install --yes --no-install-recommends "$@" </dev/null >&2
    remove_policy_file
}

remove_policy_file() {
    if [[ -n $services_policy_file ]]; then
        rm -f "$services_policy_file"
        services_policy_file=
    fi
}

# --- Processes ------------------------------------------------------------------------------------------------

# wait_until SECONDS COMMAND…: false when the time is up.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

is_gone() {
    ! kill -0 -- "$1" 2>/dev/null
}

# stop_process TARGET SIGNAL:SECONDS…: sends one signal after the other, each with its time to work, and at last
# KILL. The target is a process, or with a minus in front a process group. (A bare `return` would hand back the
# script's status here: this runs in its EXIT trap.)
stop_process() {
    local target=$1 step
    shift
    for step in "$@" KILL:5; do
        is_gone "$target" && return 0
        kill -s "${step%:*}" -- "$target" 2>/dev/null || true
        wait_until "${step#*:}" is_gone "$target" && return 0
    done
    services_say "Process $target does not end"
}

# launch LOG SETPRIV_OPTIONS… COMMAND…: a server in the background; its process id is then in $!.
# It gets a session of its own, so that Ctrl-C reaches this script alone, which stops its servers last. Should
# the script be killed outright, the kernel sends INT, a quick shutdown to both servers.
launch() {
    local log=$1
    shift
    (cd "$services_dir" && exec setsid setpriv --pdeathsig INT "$@") </dev/null >"$log" 2>&1 &
}

# A port that nobody listens on now, below the range that outgoing connections draw from.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    return 1
}

# start_server NAME: NAME_launch on a free port until NAME_answers; the port is then in $server_port. Another
# process may take the port before the server does, so a port that is in use means another try.
start_server() {
    local name=$1 log=$services_dir/$1.log
    local -n pid=${name}_pid
    for _ in {1..10}; do
        server_port=$(free_port)
        "${name}_launch" "$server_port" "$log"
        pid=$!
        wait_until 60 server_settled "$name" "$pid" || true
        if "${name}_answers" && ! is_gone "$pid"; then
            return 0
        fi
        stop_process "$pid" INT:5
        pid=
        grep -q 'Address already in use' "$log" || break
    done
    services_say "$name did not start. Its log ends with:"
    tail -n 20 "$log" >&2
    exit 1
}

server_settled() {
    "${1}_answers" || is_gone "$2"
}

# --- PostgreSQL -----------------------------------------------------------------------------------------------

# It refuses to run as root, and is then given to the user that its package made. Fills `postgres_user`, the
# options with which setpriv becomes that user (none where we are not root).
postgres_choose_user() {
    postgres_owner=$(id -un)
    postgres_user=()
    if ((EUID == 0)); then
        postgres_owner=postgres
        id -u "$postgres_owner" >/dev/null 2>&1 || postgres_owner=nobody
        postgres_user=(
            --reuid="$(id -u "$postgres_owner")" --regid="$(id -g "$postgres_owner")" --init-groups
        )
    fi
}

as_postgres() {
    setpriv "${postgres_user[@]}" --pdeathsig INT "$@"
}

# An authority and a certificate for localhost signed by it: strict clients take no certificate that is both.
postgres_make_certificate() {
    local tls=$services_dir/tls
    local new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    mkdir -m 700 "$tls"
    printf '%s\n' 'basicConstraints=CA:FALSE' 'extendedKeyUsage=serverAuth' \
        'subjectAltName=DNS:localhost,IP:127.0.0.1' >"$tls/server.ext"
    {
        openssl req -x509 "${new_key[@]}" -days 30 -subj '/CN=Roomcast test authority' \
            -keyout "$tls/ca.key" -out "$tls/ca.crt"
        openssl req "${new_key[@]}" -subj /CN=localhost -keyout "$tls/server.key" -out "$tls/server.csr"
        openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial \
            -days 30 -extfile "$tls/server.ext" -out "$tls/server.crt"
    } >"$tls/log" 2>&1 || services_die "openssl could not make a certificate: $(<"$tls/log")"
}

postgres_create() {
    local home=$services_dir/postgres
    postgres_make_certificate
    install -d -m 700 -o "$postgres_owner" "$home" "$home/socket"
    install -m 600 -o "$postgres_owner" "$services_dir/tls/server.key" "$services_dir/tls/server.crt" "$home"

    # Others may have an account on this machine, and a superuser of PostgreSQL can run programs.
    postgres_password=$(openssl rand -hex 16)
    install -m 600 -o "$postgres_owner" /dev/null "$home/password"
    echo "$postgres_password" >"$home/password"

    (
        cd "$services_dir"
        as_postgres "$(postgres_bin)/initdb" --pgdata="$home/data" --username=postgres --pwfile="$home/password" \
            --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync
    ) >"$services_dir/initdb.log" 2>&1 || services_die "initdb failed: $(<"$services_dir/initdb.log")"
    rm "$home/password"
}

postgres_launch() {
    local home=$services_dir/postgres
    local settings=(
        listen_addresses=127.0.0.1
        port="$1"
        unix_socket_directories="$home/socket"
        ssl=on
        ssl_cert_file="$home/server.crt"
        ssl_key_file="$home/server.key"
        max_connections=400
        shared_buffers=128MB
        max_wal_size=256MB
        min_wal_size=80MB
        max_locks_per_transaction=256 # a schema for each test, and one transaction that drops many
        lc_messages=C
        timezone=UTC
    )
    launch "$2" "${postgres_user[@]}" "$(postgres_bin)/postgres" -D "$home/data" "${settings[@]/#/--}"
}

# Asked through its socket in our folder: another server on the same port must not answer for ours.
postgres_answers() {
    "$(postgres_bin)/pg_isready" -q -h "$services_dir/postgres/socket" -p "$server_port"
}

# --- Redis ----------------------------------------------------------------------------------------------------

redis_launch() {
    launch "$2" redis-server --bind 127.0.0.1 --port "$1" --unixsocket "$services_dir/redis.sock" \
        --unixsocketperm 700 --save '' --appendonly no --dir "$services_dir" --daemonize no
}

redis_answers() {
    [[ $(redis-cli -s "$services_dir/redis.sock" ping 2>/dev/null) == PONG ]]
}

# --- All of it ------------------------------------------------------------------------------------------------

# Where PostgreSQL's user can enter and the path of a socket still fits (107 bytes).
services_make_dir() {
    local parent
    for parent in "${TMPDIR:-/tmp}" /tmp; do
        services_dir=$(mktemp -d "$parent/roomcast-services.XXXXXX")
        chmod 711 "$services_dir"
        if ((${#services_dir} < 70)) && as_postgres test -x "$services_dir"; then
            mkdir -m 700 "$services_dir/tmp"
            return 0
        fi
        rmdir "$services_dir"
        services_dir=
    done
    services_die "There is no temporary folder that PostgreSQL can use"
}

services_start() {
    local missing
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}"

    # The developer's own PostgreSQL settings (PGHOST, PGSSLMODE and the like) are not meant for this server.
    local variable
    for variable in "${!PG@}"; do unset "$variable"; done

    postgres_choose_user
    services_make_dir

    postgres_create
    start_server postgres
    export ROOMCAST_TEST_POSTGRES_URL="postgres://postgres:$postgres_password@127.0.0.1:$server_port/postgres"
    export ROOMCAST_TEST_POSTGRES_CA="$services_dir/tls/ca.crt"
    ROOMCAST_TEST_POSTGRES_BIN=$(postgres_bin)
    export ROOMCAST_TEST_POSTGRES_BIN
    export ROOMCAST_TEST_POSTGRES_HOME="$services_dir/postgres"

    start_server redis
    export ROOMCAST_TEST_REDIS_URL="redis://127.0.0.1:$server_port"

    export TMPDIR="$services_dir/tmp"
}

# services_run COMMAND…: the command leads a process group, so that all it started can be stopped with it, and
# runs in the background, because bash handles a signal only once the foreground command is done.
services_run() {
    local status=0
    setsid env --default-signal=INT,QUIT -- "$@" <&0 &
    command_group=$!
    wait "$command_group" || status=$?
    stop_process "-$command_group" TERM:5
    command_group=
    return "$status"
}

services_stop() {
    local status=$?
    set +e # whatever fails, the rest has to go all the same
    trap '' HUP INT TERM
    trap - EXIT
    [[ -z $command_group ]] || stop_process "-$command_group" TERM:10
    [[ -z $redis_pid ]] || stop_process "$redis_pid" TERM:5
    [[ -z $postgres_pid ]] || stop_process "$postgres_pid" INT:20 QUIT:5 # fast, then immediate
    if [[ -n $services_dir ]]; then
        # A test may have taken the right to write from a folder of its own.
        rm -rf "$services_dir" 2>/dev/null || { chmod -R u+rwX "$services_dir" && rm -rf "$services_dir"; }
    fi
    remove_policy_file
    exit "$status"
}

trap services_stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
