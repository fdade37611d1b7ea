#!/bin/sh
# Make a virtual environment: make-venv.sh PYTHON FOLDER
# On Debian and Ubuntu venv is a separate package; as root it is installed, otherwise a message says how.
set -eu
python=$1
folder=$2
[ -x "$folder/bin/python" ] && exit 0
if ! command -v "$python" >/dev/null 2>&1; then
    echo "$python was not found. Install Python 3.11, or name another interpreter: make PYTHON=python3.12 …" >&2
    exit 2
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))'; then
    echo "$("$python" --version) was found, but Python 3.10 to 3.14 is needed. Name another: make PYTHON=python3.12 …" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq && apt-get install -y -qq "$package"
    else
        echo "$python has no venv module. Install it with: sudo apt-get install $package" >&2
        exit 2
    fi
fi
"$python" -m venv "$folder"
