"""DIV2K from its home: download that resumes, checked, unpacked; nothing that is there is overwritten."""

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sr.config import FetchConfig
from sr.errors import InputError
from sr.files import BROKEN_ZIP, scratch_folder, write_text
from sr.progress import Message, Progress, Report, no_report
from sr.scale import DEFAULT_SCALE

_RECORD = "checksums.txt"
_DIGESTS = {32: "md5", 64: "sha256"}
_BLOCK = 2**18
_TIMEOUT_SECONDS = 60.0
# A connection that breaks is taken up again as long as bytes arrive, this often in a row without any.
_FRUITLESS_ATTEMPTS = 3


@dataclass(frozen=True)
class Archive:
    """One of DIV2K's zip files: its name and the folder in it that is wanted."""

    name: str
    folder: str


def hr_folder(part: str) -> str:
    """Return the folder of the HR pictures of `part`, train or valid."""
    return f"DIV2K_{part}_HR"


def lr_folder(part: str, scale: int = DEFAULT_SCALE) -> str:
    """Return the folder of the LR pictures of `part`, train or valid, at a scale."""
    return f"DIV2K_{part}_LR_bicubic/X{scale}"


def archives(part: str, scale: int = DEFAULT_SCALE) -> tuple[Archive, Archive]:
    """Return the archives of `part`, train or valid: LR of a scale, the small one, and HR."""
    return (
        Archive(f"DIV2K_{part}_LR_bicubic_X{scale}.zip", lr_folder(part, scale)),
        Archive(f"DIV2K_{part}_HR.zip", hr_folder(part)),
    )


def fetch(config: FetchConfig, *, report: Report = no_report) -> None:
    """Bring the LR and HR folders of some parts of DIV2K; what is complete there already is left as it is.

    An archive without a given checksum is held to its announced length, the CRCs in it and the sha256 that was recorded
    beside it when it first came.

    Args:
        config: Which parts, with LR of which scale, and where to.
        report: Is told how far the downloads are and what came.

    Raises:
        InputError: Where an archive cannot be had, is damaged, or the disk has no room.
    """
    digests = read_checksums(config.checksums) if config.checksums else {}
    for archive in (archive for part in config.parts for archive in archives(part, config.scale)):
        url = f"{config.url.rstrip('/')}/{archive.name}"
        _fetch_archive(archive, config.folder, url, digests.get(archive.name), report)


def _fetch_archive(archive: Archive, folder: Path, url: str, digest: str | None, report: Report) -> None:
    """Bring one archive and its pictures into `folder`; raises InputError."""
    path = folder / archive.name
    there = (folder / archive.folder).exists()
    if path.exists():
        _verify(path, archive.name, digest)
    elif not there:
        partial = path.with_name(path.name + ".part")
        download(url, partial, report)
        _accept(partial, path, digest)
        report(Message(f"{archive.name}: downloaded and checked"))
    if there:
        report(Message(f"{archive.folder}: already there"))
        return
    unpack(path, archive.folder, folder)
    report(Message(f"{archive.folder}: unpacked; {archive.name} may be deleted"))


def _accept(partial: Path, path: Path, digest: str | None) -> None:
    """Check a finished download and give it its name; what is damaged is set aside under a name that tells so."""
    try:
        _verify(partial, path.name, digest)
    except InputError as error:
        damaged = path.with_name(path.name + ".damaged")
        partial.replace(damaged)
        raise InputError(f"{error}; it is kept as {damaged}; run again to download it anew") from error
    partial.replace(path)


def _verify(path: Path, name: str, digest: str | None) -> None:
    """Check an archive against the given digest, the recorded one and its own CRCs; then record its sha256.

    Raises InputError where one of them differs.
    """
    record = path.parent / _RECORD
    recorded = read_checksums(record) if record.exists() else {}
    for expected in (digest, recorded.get(name)):
        if expected is not None:
            actual = _file_digest(path, _DIGESTS[len(expected)])
            if actual != expected:
                raise InputError(f"{path} is not what it must be: its digest is {actual}, expected {expected}")
    if name in recorded:
        return
    broken = _broken_member(path)
    if broken is not None:
        raise InputError(f"{path} is damaged: {broken}")
    entries = recorded | {name: _file_digest(path, "sha256")}
    write_text(record, "".join(f"{value}  {key}\n" for key, value in sorted(entries.items())))


def _broken_member(path: Path) -> str | None:
    """Say what in a zip file contradicts its CRCs or is no zip at all; None where all is well."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = archive.testzip()
    except BROKEN_ZIP as error:
        return f"it is no sound zip file ({error})"
    return None if name is None else f"the checksum of {name} in it is wrong"


def read_checksums(path: Path) -> dict[str, str]:
    """Read lines of HEX  NAME, each a sha256 or md5 and the archive that it is of.

    Returns:
        The digests, in lower case, by the names.

    Raises:
        InputError: Where the file cannot be read or holds another line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the checksums {path}: {error}") from error
    checksums = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        digest, _, name = line.strip().partition(" ")
        if len(digest) not in _DIGESTS or set(digest.lower()) - set("0123456789abcdef") or not name.strip():
            raise InputError(f"{path}, line {number}: must be a sha256 or md5 in hexadecimal and a name, got {line!r}")
        checksums[name.strip().lstrip("*")] = digest.lower()
    return checksums


def _file_digest(path: Path, kind: str) -> str:
    """Return the sha256 or md5 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def download(url: str, partial: Path, report: Report = no_report) -> None:
    """Fetch a file, going on where an earlier attempt ended.

    Args:
        url: Where it is, http or https.
        partial: Where it goes; what is there already is taken for its beginning.
        report: Is told how far it is.

    Raises:
        InputError: Where the server refuses, the connection brings nothing several times in a row or the disk is full.
    """
    partial.parent.mkdir(parents=True, exist_ok=True)
    fruitless = 0
    while True:
        before = _size_of(partial)
        trouble = "the connection broke"
        try:
            if _receive(url, partial, report):
                return
        except urllib.error.HTTPError as error:
            raise InputError(f"cannot fetch {url}: the server says {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            trouble = " ".join(str(error).split()) or type(error).__name__
        fruitless = 0 if _size_of(partial) > before else fruitless + 1
        if fruitless == _FRUITLESS_ATTEMPTS:
            raise InputError(f"cannot fetch {url}: {trouble}; {before} bytes are kept, run again to go on from there")


def _receive(url: str, partial: Path, report: Report) -> bool:
    """Append to `partial` what is missing of it, from the start where the server cannot resume.

    Returns whether it is then as long as announced. Raises OSError or HTTPException where the connection fails.
    """
    have = _size_of(partial)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - http(s) only
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return True
        partial.unlink()  # longer than what the server has: no beginning of it
        return False
    with response:
        start, total = _extent(response, have)
        require_room(partial.parent, total - start)
        counted = Progress(partial.stem, total, "B", start=start, report=report)
        with partial.open("ab" if start else "wb") as file, counted as progress:
            while block := response.read(_BLOCK):
                file.write(block)
                progress.step(len(block))
    return _size_of(partial) == total


def _extent(response: http.client.HTTPResponse, have: int) -> tuple[int, int]:
    """Return the byte at which a response starts and the length of the whole file; raises InputError."""
    length = response.headers.get("Content-Length")
    if length is None or not length.isdecimal():
        raise InputError(f"{response.url} does not say how long it is; name another --url")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0, int(length)
    if not str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
        raise InputError(f"{response.url} answers with another range than asked for; name another --url")
    return have, have + int(length)


def _size_of(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def require_room(folder: Path, needed: int) -> None:
    """Check how much a disk has free.

    Raises:
        InputError: Where the disk of `folder` has less than `needed` bytes.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(f"{folder} has {free / 2**30:.1f} GiB free, {needed / 2**30:.1f} are needed; make room in it")


def unpack(path: Path, wanted: str, folder: Path) -> None:
    """Unpack one folder of a zip file, complete or not at all.

    Args:
        path: The zip file.
        wanted: The folder in it.
        folder: Where that folder is to lie.

    Raises:
        InputError: Where it is not in it, a member leads out of it, or the disk has no room.
    """
    target = folder / wanted
    with scratch_folder(folder) as temporary, zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        for info in members:
            _require_inside(path, info.filename)
        chosen = [info for info in members if info.filename.startswith(wanted + "/")]
        if not chosen:
            raise InputError(f"{path} holds no {wanted}/; it is not DIV2K's archive of that name")
        require_room(folder, sum(info.file_size for info in chosen))
        archive.extractall(temporary, chosen)
        target.parent.mkdir(parents=True, exist_ok=True)
        (temporary / wanted).rename(target)


def _require_inside(path: Path, member: str) -> None:
    """Raise InputError where a member of a zip file would land outside the folder that it is unpacked into."""
    parts = PurePosixPath(member.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in member:
        raise InputError(f"{path} holds {member!r}, which leads out of its folder; nothing of it was unpacked")
