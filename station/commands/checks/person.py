"""Whether somebody else, the service's user, may use a file, as far as permissions tell."""

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

SERVICE_USER = "station"
"""Whom `deploy/station.service` runs the engine as."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    uid: int
    groups: frozenset[int]

    def may_use(self, path: Path, *, folder: bool = False) -> bool:
        """Read and write, and in a folder make and remove files. Raises OSError.

        For ourselves the kernel is asked, for others the permission bits; no access lists.
        """
        state = path.stat()
        if self.uid == os.geteuid():
            wanted = os.R_OK | os.W_OK | (os.X_OK if folder else 0)
            return os.access(path, wanted, effective_ids=True)
        if self.uid == 0:
            return True
        bits = 7 if folder else 6
        return self._bits(state) & bits == bits

    def _bits(self, state: os.stat_result) -> int:
        mode = stat.S_IMODE(state.st_mode)
        if state.st_uid == self.uid:
            return mode >> 6
        return mode >> 3 if state.st_gid in self.groups else mode


def keeper() -> Person:
    """The service's user where the station is installed as a service, else whoever asks."""
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return _myself()
    return Person(user.pw_name, user.pw_uid, frozenset(os.getgrouplist(user.pw_name, user.pw_gid)))


def _myself() -> Person:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    return Person(name, uid, frozenset((*os.getgroups(), os.getegid())))


def owner_of(path: Path) -> str:
    """Owner, group and permissions in words: `root:root 0664`. Raises OSError."""
    state = path.stat()
    return f"{_user(state.st_uid)}:{_group(state.st_gid)} {stat.S_IMODE(state.st_mode):04o}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
