"""The key of the identifier hashes: made once, kept outside every store."""

import hashlib
import os
import secrets
from pathlib import Path

from bandpass.data.atomic import replacing, writing
from bandpass.data.series import DataError

VARIABLE = "BANDPASS_KEY_FILE"
"""Environment variable with the path of a key file, for whoever gives none."""

LENGTH = 32


def find_key(store: Path, given: Path | None) -> tuple[bytes, str]:
    """Read the key, or make one.

    Args:
        store: Where the store will be. Unless there is another key, its own is the file
            ``<store>.key`` beside it, which is made if it is missing.
        given: A key file; else the one that ``BANDPASS_KEY_FILE`` names is used, if it names one.

    Returns:
        The key, and a note for the person if one was made.

    Raises:
        DataError: If the file is not there, is no key, or lies inside the store.
        StoreError: If a key cannot be written.
    """
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None:
        own = store.with_name(f"{store.name}.key")
        if own.exists():
            return _read(own), ""
        key = secrets.token_bytes(LENGTH)
        _write(own, key)
        return key, f"made a key for the identifiers, {own}: keep it, and share it with nobody"
    if named.resolve().is_relative_to(store.resolve()):
        raise DataError(f"the key {named} lies inside the store: keep it elsewhere, out of copies")
    return _read(named), ""


def fingerprint(key: bytes) -> str:
    """What a manifest may say of a key: enough to tell two apart, nothing to guess one by."""
    return hashlib.blake2b(b"fingerprint", digest_size=8, key=key).hexdigest()


def _read(file: Path) -> bytes:
    try:
        key = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"the key {file} cannot be read: {error.strerror}; name another, or none to make one"
        ) from error
    if len(key) != LENGTH:
        raise DataError(
            f"the key {file} has {len(key)} bytes, a key has {LENGTH}: "
            f"make one with `head -c {LENGTH} /dev/urandom`"
        )
    return key


def _write(file: Path, key: bytes) -> None:
    with writing(file), replacing(file) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as out:
            out.write(key)
