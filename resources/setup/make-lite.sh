#!/bin/sh
# Make an environment with MindSpore Lite, whose wheels on PyPI are for CPython 3.7 only:
#   make-lite.sh FOLDER
# Without CPython 3.7 no environment is made, and tests that need it are skipped; this is not an error.
folder=$1
for python in python3.7 "$HOME"/.pyenv/versions/3.7*/bin/python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 7))' 2>/dev/null; then
        echo "Installing MindSpore Lite for $("$python" --version) in $folder (184 MB)"
        if "$python" -m venv "$folder" \
            && "$folder/bin/pip" install --quiet --disable-pip-version-check --retries 1 mindspore-lite==2.0.0 numpy; then
            touch "$folder/.ready"
        else
            rm -rf "$folder"
            echo "MindSpore Lite could not be installed; its tests will be skipped."
        fi
        exit 0
    fi
done
echo "CPython 3.7 was not found; the tests of MindSpore Lite will be skipped."
