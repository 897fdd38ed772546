import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sr.command import BAD_INPUT, DONE, run
from sr.config import DIV2K_PARTS, FetchConfig
from sr.data import div2k
from sr.data.__main__ import main
from sr.data.div2k import archives, download, fetch, read_checksums, unpack
from sr.data.sources import load_pairs
from sr.errors import InputError


class Server(ThreadingHTTPServer):
    """Serves `files`; how badly, its flags say. `requests` lists (path, Range header) as they came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.cuts: list[int] = []
        self.ranges = True
        self.says_length = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, wanted = self.path.strip("/"), self.headers.get("Range")
        self.server.requests.append((name, wanted))
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.server.ranges else 0
        if start >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = start + self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def png(height: int, width: int, seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def small_div2k(scale: int = 4) -> dict[str, bytes]:
    files = {}
    for part, first in (("train", 1), ("valid", 801)):
        lr, hr = archives(part, scale)
        numbers = range(first, first + 2)
        files[hr.name] = zipped(
            {f"{hr.folder}/{number:04}.png": png(4 * scale, 6 * scale, number) for number in numbers}
        )
        files[lr.name] = zipped(
            {f"{lr.folder}/{number:04}x{scale}.png": png(4, 6, -number + 1000) for number in numbers}
        )
    return files


def test_the_command_brings_all_four_folders(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files = small_div2k()
    assert run(main, ["div2k", "--to", str(tmp_path / "new"), "--url", server.url]) == DONE
    folder = tmp_path / "new"
    assert load_pairs(folder, "train", report=pytest.fail).names == ("0001", "0002")
    assert load_pairs(folder, "val", report=pytest.fail).names == ("0801", "0802")
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in server.files.items()}
    assert read_checksums(folder / "checksums.txt") == sums
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob(".*"))
    assert f"--data {folder}" in capsys.readouterr().out

    server.requests.clear()
    assert run(main, ["div2k", "--to", str(folder), "--url", server.url]) == DONE
    assert server.requests == []
    assert "DIV2K_valid_HR: already there" in capsys.readouterr().out


def test_the_lr_of_another_scale_is_brought_where_it_is_asked_for(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files = small_div2k(2)
    arguments = ["div2k", "--to", str(tmp_path), "--parts", "valid", "--scale", "2", "--url", server.url]
    assert run(main, arguments) == DONE
    assert f"--val {tmp_path} --scale 2\n" in capsys.readouterr().out
    assert (tmp_path / "DIV2K_valid_LR_bicubic" / "X2" / "0801x2.png").exists()
    assert load_pairs(tmp_path, "val", report=pytest.fail, scale=2).lr.picture(0).shape == (4, 6, 3)


def test_the_urls_are_the_published_ones() -> None:
    assert archives("valid", 3)[0].name == "DIV2K_valid_LR_bicubic_X3.zip"
    assert [archive.name for part in DIV2K_PARTS for archive in archives(part)] == [
        "DIV2K_train_LR_bicubic_X4.zip",
        "DIV2K_train_HR.zip",
        "DIV2K_valid_LR_bicubic_X4.zip",
        "DIV2K_valid_HR.zip",
    ]


def test_a_cut_connection_is_taken_up_where_it_broke(tmp_path: Path, server: Server) -> None:
    server.files = {"a.zip": bytes(range(256)) * 10}
    server.cuts = [1000, 500]
    download(server.url + "a.zip", tmp_path / "a.zip.part")
    assert (tmp_path / "a.zip.part").read_bytes() == server.files["a.zip"]
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", "bytes=1500-"]


def test_without_progress_it_gives_up_and_a_later_run_resumes(tmp_path: Path, server: Server) -> None:
    server.files = {"a.zip": bytes(range(256)) * 10}
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(InputError, match=r"the connection broke; 1000 bytes are kept, run again") as caught:
        download(server.url + "a.zip", tmp_path / "a.zip.part")
    assert "\n" not in str(caught.value)
    download(server.url + "a.zip", tmp_path / "a.zip.part")
    assert (tmp_path / "a.zip.part").read_bytes() == server.files["a.zip"]
    assert server.requests[-1] == ("a.zip", "bytes=1000-")


def test_a_server_without_ranges_means_starting_over(tmp_path: Path, server: Server) -> None:
    server.files, server.ranges = {"a.zip": b"new content"}, False
    partial = tmp_path / "a.zip.part"
    partial.write_bytes(b"old")
    download(server.url + "a.zip", partial)
    assert partial.read_bytes() == b"new content"


def test_a_finished_part_is_not_fetched_again_and_a_longer_one_anew(tmp_path: Path, server: Server) -> None:
    server.files = {"a.zip": b"content"}
    partial = tmp_path / "a.zip.part"
    for there, requests in ((b"content", 1), (b"content and more", 2)):
        server.requests.clear()
        partial.write_bytes(there)
        download(server.url + "a.zip", partial)
        assert partial.read_bytes() == b"content"
        assert len(server.requests) == requests


def test_what_the_server_lacks_is_one_line(tmp_path: Path, server: Server) -> None:
    with pytest.raises(InputError, match="the server says 404"):
        download(server.url + "a.zip", tmp_path / "a.zip.part")
    server.files, server.says_length = {"a.zip": b"content"}, False
    with pytest.raises(InputError, match="does not say how long it is"):
        download(server.url + "a.zip", tmp_path / "a.zip.part")
    server.server_close()
    with pytest.raises(InputError, match=r"cannot fetch http://127.+; 0 bytes are kept"):
        download("http://127.0.0.1:9/a.zip", tmp_path / "a.zip.part")


@pytest.mark.parametrize("damage", ["content", "tail", "page"])
def test_damaged_bytes_are_set_aside_and_fetched_anew(tmp_path: Path, server: Server, damage: str) -> None:
    lr, _ = archives("valid")
    sound = small_div2k()[lr.name]
    position = sound.index(b"IDAT") + 20
    server.files = small_div2k() | {
        lr.name: {
            "content": sound[:position] + bytes([sound[position] ^ 255]) + sound[position + 1 :],
            "tail": sound[:-40],
            "page": b"<html>moved</html>",
        }[damage]
    }
    with pytest.raises(InputError, match=f"{lr.name}.damaged; run again"):
        fetch(FetchConfig(tmp_path, ("valid",), server.url))
    assert [path.name for path in tmp_path.iterdir()] == [f"{lr.name}.damaged"]
    server.files = small_div2k()
    fetch(FetchConfig(tmp_path, ("valid",), server.url))
    assert len(load_pairs(tmp_path, "val", report=pytest.fail)) == 2


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_given_checksums_are_held_to(tmp_path: Path, server: Server, kind: str) -> None:
    server.files = small_div2k()
    sums = tmp_path / "sums"
    lines = [f"{hashlib.new(kind, content).hexdigest().upper()}  {name}" for name, content in server.files.items()]
    sums.write_text("\n".join(lines) + "\n\n")
    arguments = [
        "div2k",
        "--to",
        str(tmp_path / "new"),
        "--parts",
        "valid",
        "--url",
        server.url,
        "--checksums",
        str(sums),
    ]
    assert run(main, arguments) == DONE
    sums.write_text("\n".join(line.replace(line[0], "0" if line[0] != "0" else "1", 1) for line in lines))
    assert run(main, [*arguments[:2], str(tmp_path / "other"), *arguments[3:]]) == BAD_INPUT
    assert not (tmp_path / "other" / "DIV2K_valid_LR_bicubic").exists()


def test_a_zip_that_changed_since_is_noticed(tmp_path: Path, server: Server) -> None:
    server.files = small_div2k()
    fetch(FetchConfig(tmp_path, ("valid",), server.url))
    archive = tmp_path / "DIV2K_valid_HR.zip"
    archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="is not what it must be: its digest"):
        fetch(FetchConfig(tmp_path, ("valid",), server.url))


def test_a_zip_brought_by_hand_is_used(tmp_path: Path, server: Server) -> None:
    for name, content in small_div2k().items():
        (tmp_path / name).write_bytes(content)
    fetch(FetchConfig(tmp_path, url=server.url))
    assert server.requests == []
    assert len(load_pairs(tmp_path, "train", report=pytest.fail)) == 2


def test_what_is_there_is_never_replaced(tmp_path: Path, server: Server) -> None:
    server.files = small_div2k()
    mine = tmp_path / "DIV2K_valid_HR" / "mine.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    other_scale = tmp_path / "DIV2K_valid_LR_bicubic" / "X2" / "0801x2.png"
    other_scale.parent.mkdir(parents=True)
    other_scale.write_bytes(b"x2")
    fetch(FetchConfig(tmp_path, ("valid",), server.url))
    assert [path.name for path in mine.parent.iterdir()] == ["mine.png"]
    assert mine.read_bytes() == b"mine"
    assert other_scale.read_bytes() == b"x2"
    assert (tmp_path / "DIV2K_valid_LR_bicubic" / "X4" / "0801x4.png").exists()


@pytest.mark.parametrize(
    "name", ["../out.png", "/out.png", "DIV2K_valid_HR/../../out.png", "..\\out.png", "C:\\out.png"]
)
def test_nothing_lands_outside_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "a.zip").write_bytes(zipped({"DIV2K_valid_HR/0801.png": b"x", name: b"evil"}))
    with pytest.raises(InputError, match="leads out of its folder"):
        unpack(folder / "a.zip", "DIV2K_valid_HR", folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "a.zip"]


def test_another_archive_under_the_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"other/0801.png": b"x"}))
    with pytest.raises(InputError, match="holds no DIV2K_valid_HR/"):
        unpack(tmp_path / "a.zip", "DIV2K_valid_HR", tmp_path)


def test_a_full_disk_is_said_before_it_is_full(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="GiB free"):
        div2k.require_room(tmp_path, 2**60)


@pytest.mark.parametrize("line", ["abc  a.zip", "z" * 64 + "  a.zip", "0" * 64])
def test_checksums_that_are_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "sums").write_text(f"\n{line}\n")
    with pytest.raises(InputError, match="line 2: must be a sha256 or md5"):
        read_checksums(tmp_path / "sums")
