"""The images that a person names: files, folders, patterns and lists of them.

A text list holds one name a line; a tile index and a STAC item collection (``image_lists``) name the files of a mosaic
too. What is left out and what was decided is reported.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SourceError, shorten
from ..protocol.messages import Message
from ..protocol.options import SourceOptions
from .remote import is_remote

#: Suffixes of images in a folder; others have to be named one by one.
_IMAGES = frozenset(
    ".tif .tiff .gtiff .jp2 .j2k .jpx .img .mrf .ers .pix .bil .bsq .bip .kro .ntf .nitf".split()  # noqa: SIM905
)
#: Images only where a side file gives them a place: there are previews of the same formats.
_PICTURES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"])
_WORLD_FILES = (".wld", ".tab", ".aux.xml")
_LISTS = frozenset((".txt", ".lst", ".list"))
_INDEXES = frozenset((".gpkg", ".shp", ".fgb", ".geojson", ".parquet"))
_MAX_LIST_BYTES = 64 << 20
#: Lists that name lists.
_MAX_DEPTH = 4
_NAMED_KINDS = 5
_BROKEN_ADDRESS = re.compile(r"^(?:/vsi\w+/)?\w+:/{1,2}[^?]*//")


def find_sources(
    values: Sequence[str | Path], options: SourceOptions | None = None
) -> tuple[list[Path], list[Message]]:
    """Find the images that ``values`` name.

    Args:
        values: files, folders, patterns with ``*``, ``?`` or ``[...]``, text lists, tile indexes, STAC item
            collections.
        options: asset of STAC items.

    Returns:
        The images in their order, each once, and remarks on what was left out and what was decided.

    Raises:
        SourceError: a value names no image, or a list cannot be read. Whether the images exist is checked later.
    """
    finder = _Finder(options or SourceOptions())
    images: dict[str, Path] = {}
    count = 0
    for value in values:
        for path in finder.expand(os.fspath(value), Path(), 0):
            count += 1
            images.setdefault(os.path.realpath(path), path)  # addresses are no files, but differ as such, too
    if count > len(images):
        finder.remark(f"{count - len(images)} images are named more than once; each is used once.")
    return list(images.values()), finder.remarks


@dataclass
class _Finder:
    """Expands what a person or a list names to images.

    Attributes:
        options: asset of STAC items.
        remarks: what was left out.
    """

    options: SourceOptions
    remarks: list[Message] = field(default_factory=list)

    def remark(self, text: str) -> None:
        """Add a remark."""
        self.remarks.append(Message(text))

    def expand(self, value: str, base: Path, depth: int) -> Iterator[Path]:
        """Yield the images that ``value`` names, relative to the folder ``base``."""
        if depth > _MAX_DEPTH:
            raise SourceError(f"The list {value} names lists that name lists, or itself.", "Name the images in it.")
        if is_remote(Path(value)) and not Path(value).exists():
            if _BROKEN_ADDRESS.match(value):
                raise SourceError(f"The address {value} has two slashes in its path, which cannot be opened.")
            yield Path(value)
            return
        path = base / Path(value).expanduser() if value.startswith("~") else base / value
        if path.is_dir():
            yield from self._list_folder(path)
        elif not path.exists() and glob.has_magic(value):
            yield from self._match(path)
        elif path.is_file() and (names := self._read_list(path)) is not None:
            if not names:
                raise SourceError(f"The list {path} names no images.")
            for name in names:
                yield from self.expand(name, self._locate(name, path.parent), depth + 1)
        else:
            yield path

    def _locate(self, name: str, folder: Path) -> Path:
        """Return the folder to which a name in a list is relative: that of the list or the working directory."""
        return folder if (folder / name).exists() or not Path(name).exists() else Path()

    def _read_list(self, path: Path) -> list[str] | None:
        """Return the names in a list of any kind; None if ``path`` is none."""
        suffix = path.suffix.lower()
        if suffix in _LISTS:
            return _read_text(path)
        if suffix not in (*_INDEXES, ".json", ".gti"):
            return None
        from .image_lists import read_gti, read_stac_assets, read_tile_index  # brings pyogrio, which few runs need

        if suffix == ".gti":
            names, remarks = read_gti(path)
        elif suffix == ".json" and (assets := read_stac_assets(path, self.options.asset)) is not None:
            names, remarks = assets
        else:
            return read_tile_index(path)
        self.remarks += remarks
        return names

    def _list_folder(self, folder: Path) -> Iterator[Path]:
        """Yield the images of a folder by name."""
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise SourceError(f"The folder {folder} cannot be read: {error.strerror}.") from error
        entries = [entry for entry in entries if not entry.name.startswith(".")]
        yield from self._choose(entries, str(folder))

    def _match(self, pattern: Path) -> Iterator[Path]:
        """Yield the images that a pattern matches, by name."""
        found = [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]  # noqa: PTH207 (absolute, too)
        if not found:
            raise SourceError(f"No file matches {pattern}.")
        if len(found) == 1:
            yield found[0]
        else:
            yield from self._choose(found, str(pattern))

    def _choose(self, entries: list[Path], where: str) -> Iterator[Path]:
        """Yield the images among ``entries``, and remark on the rest.

        Raises:
            SourceError: there is none.
        """
        names = {entry.name.lower() for entry in entries}
        images = [entry for entry in entries if _is_image(entry, names)]
        virtual = [entry for entry in entries if entry.suffix.lower() == ".vrt"]
        if not images:
            images, virtual = virtual, []
        if not images:
            raise SourceError(f"There are no images in {where}.", "Name the image itself if it is of another format.")
        rest = sorted(set(entries) - set(images) - set(virtual))
        if rest:
            folders = sum(entry.is_dir() for entry in rest)
            kinds = Counter(_find_kind(entry) for entry in rest if not entry.is_dir())
            listed = ", ".join(kind for kind, _ in kinds.most_common(_NAMED_KINDS))
            parts = [f"{kinds.total()} other files ({listed})"] if kinds else []
            parts += [f"{folders} folders"] if folders else []
            text = f"{len(images)} images of {shorten(where)} are used; {' and '.join(parts)} are left out."
            self.remark(text)
        if virtual:
            self.remark(
                f"{virtual[0].name} is a virtual raster, so it is left out: the images beside it are used. "
                "Name it to use it."
            )
        yield from images


def _is_image(path: Path, names: set[str]) -> bool:
    """Whether a file among ``names`` (in lower case) is an image with a place."""
    suffix = path.suffix.lower()
    if suffix in _PICTURES:
        stem = path.stem.lower()
        worlds = {f"{stem}{ending}" for ending in (*_WORLD_FILES, f"{suffix[:2]}{suffix[-1]}w", f"{suffix}w")}
        return bool(names & {*worlds, f"{path.name.lower()}.aux.xml"}) and path.is_file()
    return suffix in _IMAGES and path.is_file()


def _find_kind(path: Path) -> str:
    """Return the suffix of a file, for a remark."""
    return ".aux.xml" if path.name.lower().endswith(".aux.xml") else path.suffix.lower() or "without suffix"


def _read_text(path: Path) -> list[str]:
    """Return the lines of a text list that are neither empty nor comments."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_LIST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise SourceError(f"The list {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SourceError(f"The list {path} is not a text in UTF-8, with one image a line.") from None
    if len(content) > _MAX_LIST_BYTES or "\0" in text:
        raise SourceError(f"{path} is not a text list of images.")
    lines = (line.strip().strip('"') for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
