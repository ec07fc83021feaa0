# shellcheck shell=bash
#
# Node.js, and what npm installs from the lock file. To be sourced by a bash script that stands in the root of the
# repository.
#
#   node_found      whether there is a Node.js that is new enough
#   node_say        says what to install
#   node_install    npm ci, unless what it would install is there already

# What package.json asks for.
NODE_NEEDED=20.19

node_found() {
    command -v node >/dev/null && command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        const [needed, least] = process.argv[1].split(".").map(Number);
        process.exit(major > needed || (major === needed && minor >= least) ? 0 : 1);
    ' "$NODE_NEEDED"
}

node_say() {
    echo "This takes Node.js $NODE_NEEDED or later, with npm (https://nodejs.org)." >&2
}

node_install() {
    local lock=node_modules/.package-lock.sha256
    if sha256sum --check --status "$lock" 2>/dev/null; then
        return 0
    fi
    npm ci --no-progress --loglevel=error
    sha256sum package-lock.json >"$lock"
}
