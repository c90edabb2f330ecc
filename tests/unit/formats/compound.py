"""Writes OLE2 compound files for the tests, after [MS-CFB]; every stream in whole sectors."""

from __future__ import annotations

import struct

Tree = dict[str, "bytes | Tree"]

_SECTOR, _SMALLEST = 512, 4096
_END, _FREE, _FAT, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_ROOT, _STORAGE, _STREAM = 5, 1, 2


class _Writer:
    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.sectors: list[bytes] = []
        self.fat: list[int] = []
        self.small: list[bytes] = []
        self.small_fat: list[int] = []

    def chain(self, data: bytes, size: int, sectors: list[bytes], fat: list[int]) -> int:
        """Put the data into sectors of this size; the number of the first."""
        first, count = len(sectors), -(-len(data) // size)
        sectors += [data[at : at + size].ljust(size, b"\0") for at in range(0, len(data), size)]
        fat += [*range(first + 1, first + count), _END]
        return first

    def stream(self, data: bytes) -> int:
        if not data:
            return _END
        if len(data) < _SMALLEST:
            return self.chain(data, 64, self.small, self.small_fat)
        return self.chain(data, _SECTOR, self.sectors, self.fat)

    def children(self, tree: Tree) -> int:
        """The entries of a storage, each the right neighbour of the one before; the first one's number."""
        first = after = _NONE
        for name, content in reversed(tree.items()):
            child = _NONE if isinstance(content, bytes) else self.children(content)
            start, size = (self.stream(content), len(content)) if isinstance(content, bytes) else (0, 0)
            kind = _STREAM if isinstance(content, bytes) else _STORAGE
            self.entries.append(_entry(name, kind, after, child, start, size))
            first = after = len(self.entries)  # the root will stand before them
        return first


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    written = name.encode("utf-16-le") + b"\0\0"
    links = struct.pack("<HBBIII", len(written), kind, 1, _NONE, right, child)
    return written.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)


def compound(tree: Tree) -> bytes:
    """A compound file of these storages and streams."""
    writer = _Writer()
    child = writer.children(tree)
    small = b"".join(writer.small)
    start = writer.chain(small, _SECTOR, writer.sectors, writer.fat) if small else _END
    entries = b"".join([_entry("Root Entry", _ROOT, _NONE, child, start, len(small)), *writer.entries])
    directory = writer.chain(entries, _SECTOR, writer.sectors, writer.fat)
    small_fat = struct.pack(f"<{len(writer.small_fat)}I", *writer.small_fat)
    mini = writer.chain(small_fat, _SECTOR, writer.sectors, writer.fat) if small_fat else _END
    fat_sectors = -(-(len(writer.fat) + 109) // 128)
    places = range(len(writer.fat), len(writer.fat) + fat_sectors)
    fat = [*writer.fat, *[_FAT] * fat_sectors]
    fat += [_FREE] * (fat_sectors * 128 - len(fat))
    head = struct.pack("<8s16x5H6x4I", _MAGIC, 0x3E, 3, 0xFFFE, 9, 6, 0, fat_sectors, directory, 0)
    head += struct.pack("<5I", _SMALLEST, mini, -(-len(small_fat) // _SECTOR), _END, 0)
    head += struct.pack("<109I", *places, *[_FREE] * (109 - fat_sectors))
    return head + b"".join(writer.sectors) + struct.pack(f"<{len(fat)}I", *fat)
