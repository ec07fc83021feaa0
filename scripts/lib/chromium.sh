# shellcheck shell=bash
#
# Chromium, for the tests of the page. To be sourced by a bash script.
#
#   chromium_ensure    installs Debian's package where there is none and we may, otherwise says what to install

chromium_ensure() {
    if [[ -n ${CHROMIUM-} ]] || command -v chromium >/dev/null; then
        return 0
    fi
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        echo "Please install Chromium, on Debian with: sudo apt-get install chromium" >&2
        return 1
    fi
    echo "Installing chromium" >&2
    apt-get -qq -o DPkg::Lock::Timeout=120 update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends \
        chromium </dev/null >&2
}
