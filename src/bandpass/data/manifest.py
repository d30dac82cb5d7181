"""The manifest of a store: what every kind of store begins with."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

FORMAT, VERSION = "bandpass-store", 1
MANIFEST = "manifest.json"
MEND = "prepare the store again with --overwrite"


class StoreError(RuntimeError):
    """A store that cannot be written, opened or trusted; the message says how to mend it."""


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of a store of any version.

    Raises:
        StoreError: If ``path`` is missing or is not a store.
    """
    if not path.exists():
        raise StoreError(f"there is no store at {path}: run `bandpass prepare` first")
    try:
        manifest = json.loads((path / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is not a store, its {MANIFEST}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(f"{path} is not a store: {MANIFEST} does not say {FORMAT!r}")
    return manifest


def check_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Check version and file sizes; the contents are checked by ``verify`` only.

    Raises:
        StoreError: If it is of another version, or a column does not have the size it should have.
    """
    if manifest.get("version") != VERSION:
        raise StoreError(
            f"{path} is a store of version {manifest.get('version')}, this bandpass reads version "
            f"{VERSION}: {MEND}"
        )
    for name, entry in manifest["columns"].items():
        file = path / f"{name}.npy"
        if not file.is_file():
            raise StoreError(f"{file} is missing, the manifest names it: {MEND}")
        size = file.stat().st_size
        if size != entry["bytes"]:
            raise StoreError(f"{file} has {size} bytes, the manifest says {entry['bytes']}: {MEND}")


def store_hash(manifest: dict[str, Any]) -> str:
    """Hash of the hashes, of the columns and of the tables."""
    parts = {name: entry["sha256"] for name, entry in manifest["columns"].items()}
    return hashlib.sha256(
        json.dumps([parts, manifest["tables"]], sort_keys=True).encode()
    ).hexdigest()


def table_hash(table: pa.Table) -> str:
    """Hash the contents of a table, whichever pyarrow wrote it."""
    return hashlib.sha256(json.dumps(table.to_pydict()).encode()).hexdigest()
