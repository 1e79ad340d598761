#!/bin/sh
# Make a virtual environment with the pinned requirements and this package: install.sh PYTHON VENV
# Every way this can fail ends in one line that says what to install.
set -u

python=$1
venv=$2

fail() {
    echo "error: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "Python 3.11 or 3.12 must be installed, got no '$python'. Install it, or name one: make install PYTHON=/path/to/python3.11"

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
3.11 | 3.12) ;;
*) fail "Python must be 3.11 or 3.12, got $version from '$python'. Install one of them, or name it: make install PYTHON=/path/to/python3.11" ;;
esac

"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
    fail "Python's venv module must be complete, got one without ensurepip. Install it: apt-get install python$version-venv"

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
    echo "making $venv with Python $version"
    "$python" -m venv --clear "$venv" || fail "the virtual environment must be writable, got an error for $venv (see above). Check disk space and permissions."
fi

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check "$@"
}

echo "installing requirements into $venv (the first time: some minutes and 1.5 to 5 GB)"
# torch alone and first: another package's wish for torch must not decide which build comes.
torch=$(grep -o '^torch==[0-9.]*' requirements.txt)
for arguments in "$torch" "-r requirements.txt -r requirements-dev.txt" "--no-build-isolation --no-deps -e ."; do
    # shellcheck disable=SC2086 # the words are arguments of their own
    pip install --quiet $arguments ||
        fail "the packages must be downloadable, got an error from pip for '$arguments' (see above). Check the network and proxy settings (pip config list), then run the same command again."
done

touch "$venv/.installed"
