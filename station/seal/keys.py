"""The station's Ed25519 key: made once, where only the station's user can read it. Its public half
lies beside it, for whoever may read the record."""

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from station.durable import sync_folder
from station.errors import NoSigningKey

MODE = 0o600
PUBLIC_MODE = 0o644
_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """`public`: the other half, 64 hex digits."""

    key: Ed25519PrivateKey

    @property
    def public(self) -> str:
        return self.key.public_key().public_bytes_raw().hex()

    def sign(self, told: bytes) -> bytes:
        return self.key.sign(told)


def make_key(path: Path) -> PrivateKey:
    """A new key in a new file. Raises NoSigningKey; never replaces one."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        try:
            with os.fdopen(key_fd, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(path.parent)
        except OSError:
            path.unlink()  # half a key would never be replaced
            raise
    except FileExistsError as error:
        raise NoSigningKey(f"{path} is there already, and a key is never replaced") from error
    except OSError as error:
        raise NoSigningKey(f"{path}: {error.strerror}") from error
    return PrivateKey(key)


def load_key(path: Path) -> PrivateKey:
    """Raises NoSigningKey: it is missing, others can read it, or it is no such key."""
    try:
        with path.open("rb") as file:
            others = os.fstat(file.fileno()).st_mode & 0o077
            text = file.read(_MAX_BYTES)
    except OSError as error:
        raise NoSigningKey(f"{path}: {error.strerror}") from error
    if others:
        raise NoSigningKey(f"{path} can be read by others; it must have mode {MODE:o}")
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NoSigningKey(f"{path} holds no private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoSigningKey(f"{path} holds a key of another kind than Ed25519")
    return PrivateKey(key)


def find_key(path: Path) -> PrivateKey | None:
    """None if there is no such file. Raises as `load_key`."""
    with suppress(PermissionError):
        if not path.exists():
            return None
    return load_key(path)


# --- public halves ----------------------------------------------------------------------------


def public_file(path: Path) -> Path:
    """Of the key in this file: `station.key.pub` beside `station.key`."""
    return path.with_name(f"{path.name}.pub")


def lay_out_public(key: PrivateKey, path: Path) -> None:
    """The public half of the key in this file, where it can be read; what is there of another key
    is replaced. Raises NoSigningKey."""
    target = public_file(path)
    if find_public(path) == key.public:
        return
    try:
        number, made = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
        try:
            with os.fdopen(number, "w", encoding="ascii") as file:
                file.write(f"{key.public}\n")
                file.flush()
                os.fchmod(file.fileno(), PUBLIC_MODE)
                os.fsync(file.fileno())
            Path(made).replace(target)
        except OSError:
            Path(made).unlink()
            raise
        sync_folder(target.parent)
    except OSError as error:
        raise NoSigningKey(f"{target}: {error.strerror}") from error


def find_public(path: Path) -> str | None:
    """What lies there as the public half of the key in this file, 64 hex digits; None if nothing
    that is one can be read."""
    with suppress(OSError, ValueError), public_file(path).open(encoding="ascii") as file:
        text = file.read(_MAX_BYTES).strip().lower()
        return text if is_public(text) else None
    return None


def is_public(text: str) -> bool:
    """Whether these are 64 hex digits."""
    try:
        return len(bytes.fromhex(text)) == 32
    except ValueError:
        return False


def is_signed(told: bytes, signature: str, public_key: str) -> bool:
    """Both in hex digits; whatever they are else is no signature."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        public.verify(bytes.fromhex(signature), told)
    except (ValueError, InvalidSignature):
        return False
    return True
