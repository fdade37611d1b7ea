#!/bin/sh
# make-qt6.sh FOLDER: make an environment with PyQt6, in which the plugin's windows are tested on Qt 6 (tests/plugin/qt6).
#
# Of the system's Python, for its GDAL; QGIS itself is not used. Exits with 3 if Qt 6 cannot be had here.
set -eu
folder=$1

skip() {
    echo "The tests of the plugin on Qt 6 are skipped: $1"
    exit 3
}

/usr/bin/python3 -c "from osgeo import gdal" 2>/dev/null \
    || skip "the system's Python has no GDAL. On Debian and Ubuntu: sudo apt install python3-gdal"
test -x "$folder/bin/python" || /usr/bin/python3 -m venv --system-site-packages "$folder" 2>/dev/null \
    || skip "the system's Python has no venv. On Debian and Ubuntu: sudo apt install python3-venv"
"$folder/bin/pip" install --quiet --only-binary=:all: "PyQt6>=6.5" "pytest>=8" "pytest-timeout>=2.3" "hypothesis>=6.100" \
    || skip "PyQt6 has no package for this system, or the package index cannot be reached."
QT_QPA_PLATFORM=offscreen "$folder/bin/python" -c "from PyQt6.QtWidgets import QApplication; QApplication([])" \
    || skip "Qt 6 does not start. On Debian and Ubuntu: sudo apt install libegl1 libgl1 libxkbcommon0 libdbus-1-3"
mkdir -p "$folder/plugins"
ln -sfn "$(pwd)" "$folder/plugins/terraspore"
touch "$folder/.ready"
