#!/bin/sh
# find-python.sh: print a Python for the environment; MindSpore, for training, needs one of 3.10 to 3.12.
#
# Also those of pyenv and uv, which need not be on the path. Without any of 3.10 to 3.12 a newer one serves for
# everything but training. Prints python3 if there is none at all, which make-venv.sh then refuses with a sentence.
fits() { "$1" -c "import sys; sys.exit(not ($2 <= sys.version_info[:2] <= $3))" 2>/dev/null; }

for range in "(3,10) (3,12)" "(3,13) (3,14)"; do
    set -- $range
    for python in python3.11 python3.12 python3.10 python3 python3.13 python3.14 \
        "$HOME"/.pyenv/versions/3.1[0-4]*/bin/python3 "$HOME"/.local/share/uv/python/cpython-3.1[0-4]*/bin/python3; do
        if fits "$python" "$1" "$2"; then
            echo "$python"
            exit 0
        fi
    done
done
echo python3
