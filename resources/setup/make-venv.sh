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
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package="$(basename "$python")-venv"
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq && apt-get install -y -qq "$package"
    else
        echo "$python has no venv module. Install it with: sudo apt-get install $package" >&2
        exit 2
    fi
fi
"$python" -m venv "$folder"
