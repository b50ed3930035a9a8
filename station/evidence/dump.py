"""Memory that is read out of a module, on its way into the cabinet: packed piece by piece, and
never in memory as a whole. Blocks on disk and belongs in a worker thread."""

import hashlib
import zlib

from station.errors import EvidenceNotKept
from station.evidence.cabinet import EFS2, MAX_DUMP_BYTES, Cabinet
from station.model import EvidenceRef


class Dump:
    """One at a time for an attempt. Every method but `drop` raises EvidenceNotKept."""

    def __init__(self, cabinet: Cabinet, attempt_id: str) -> None:
        self._cabinet = cabinet
        self._attempt_id = attempt_id
        self._pack = zlib.compressobj(wbits=31)  # gzip without a date: equal bytes, equal file
        self._sha256 = hashlib.sha256()
        self._length_bytes = self._stored_bytes = 0

    def add(self, data: bytes) -> None:
        self._length_bytes += len(data)
        if self._length_bytes > MAX_DUMP_BYTES:
            raise EvidenceNotKept(f"more than {MAX_DUMP_BYTES} bytes were read out")
        self._spool(self._pack.compress(data))

    def keep(self) -> EvidenceRef:
        """The file is whole; it is on the disk when this returns."""
        self._spool(self._pack.flush())
        sha256 = self._sha256.hexdigest()
        ref = EvidenceRef(EFS2, sha256, self._length_bytes, self._stored_bytes)
        self._cabinet.keep_spooled(self._attempt_id, ref)
        return ref

    def drop(self) -> None:
        """Leave nothing of it, unless it was kept."""
        self._cabinet.drop(self._attempt_id, EFS2)

    def _spool(self, packed: bytes) -> None:
        self._sha256.update(packed)
        self._stored_bytes += len(packed)
        self._cabinet.spool(self._attempt_id, packed, EFS2)
