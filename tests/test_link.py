"""The link of the checkout into QGIS's profiles (tools/link.py)."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import link

DATA = {"linux": ".local/share", "darwin": "Library/Application Support", "win32": "AppData/Roaming"}


@pytest.fixture
def junctions(monkeypatch):
    """Windows' junctions, which need no rights, unlike symbolic links; a simulation by these."""
    made = []

    def create_junction(source, target):
        made.append(target)
        Path(target).symlink_to(source)

    monkeypatch.setitem(sys.modules, "_winapi", SimpleNamespace(CreateJunction=create_junction))
    return made


@pytest.mark.parametrize("platform", DATA)
@pytest.mark.parametrize("versions", [(), ("QGIS3",), ("QGIS4",), ("QGIS3", "QGIS4")], ids="+".join)
def test_plugin_is_linked_into_the_profiles_of_each_qgis(tmp_path, monkeypatch, junctions, platform, versions):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("APPDATA", str(tmp_path / DATA["win32"]))
    monkeypatch.setattr(sys, "argv", ["link.py", "--profile", "mine"])
    folder = tmp_path / DATA[platform] / "QGIS"
    for version in versions:
        (folder / version / "profiles").mkdir(parents=True)
    for _ in range(2):  # a link is replaced
        link.main()
    links = sorted(path for path in folder.rglob("terraspore") if path.is_symlink())
    wanted = [folder / version / "profiles/mine/python/plugins/terraspore" for version in versions or ("QGIS3",)]
    assert links == wanted
    assert junctions == ([str(path) for path in wanted] * 2 if platform == "win32" else [])
    assert all(path.resolve() == ROOT for path in links)


def test_installed_plugin_is_not_replaced(tmp_path):
    (tmp_path / "python" / "plugins" / "terraspore").mkdir(parents=True)
    with pytest.raises(SystemExit, match="remove the installed plugin first"):
        link.link(tmp_path)
