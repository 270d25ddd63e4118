"""What a browser on this computer gets, and nobody else."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import pytest
from patience import PATIENCE_S

from livecam.errors import LivecamError
from livecam.web.server import MOST_BYTES, REFRESH_S, Response, Server, Upload, uploads


def get_page(target: str) -> Response:
    status = HTTPStatus.OK if target == "/" else HTTPStatus.NOT_FOUND
    return Response(status, "text/html", "who came by \N{FEMALE SIGN}", may_change=True)


def post_page(files: Sequence[Upload]) -> Response:
    told = " ".join(f"{file.name}:{len(file.data)}" for file in files)
    return Response(HTTPStatus.OK, "text/html", told)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(0, get_page, post_page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def get(server: Server, host: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, PATIENCE_S)
    headers = {} if host is None else {"Host": host}
    connection.request("GET", "/", headers=headers)
    return connection.getresponse()


def test_a_browser_gets_the_page_and_keeps_none(server: Server) -> None:
    answer = get(server)
    assert answer.status == 200
    assert answer.read().decode() == "who came by \N{FEMALE SIGN}"
    assert answer.headers["Refresh"] == f"{REFRESH_S:.0f}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 403), ("evil.example:80", 403),
     ("127.0.0.1.evil.example:80", 403), ("", 403)],
)  # fmt: skip
def test_only_by_a_name_of_this_computer(server: Server, host: str, status: int) -> None:
    assert get(server, host).status == status


@pytest.mark.parametrize(
    ("asked_by", "mode", "status"),
    [("none", "navigate", 200), ("same-origin", "navigate", 200), ("cross-site", "navigate", 200),
     ("cross-site", "no-cors", 403)],
)  # fmt: skip
def test_no_other_site_can_keep_it_busy(
    server: Server, asked_by: str, mode: str, status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, PATIENCE_S)
    connection.request("HEAD", "/", headers={"Sec-Fetch-Site": asked_by, "Sec-Fetch-Mode": mode})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (status, b"")


def test_only_on_this_computer(server: Server) -> None:
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    for address in own - {"127.0.0.1", "::1"}:
        with (
            pytest.raises(OSError),
            contextlib.closing(socket.create_connection((str(address), server.server_port), 1)),
        ):
            pass
    assert server.server_address[0] == "127.0.0.1"


def test_a_browser_that_is_closed_meanwhile_is_no_error(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        with socket.create_connection(server.server_address[:2], PATIENCE_S) as client:
            now = struct.pack("ii", 1, 0)  # the connection is reset, not ended
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with socket.create_connection(server.server_address[:2], PATIENCE_S) as client:
        client.sendall(b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 404 " in client.recv(100)
    assert get(server).status == 200
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken(server: Server) -> None:
    port = server.server_port
    with pytest.raises(LivecamError, match=f"port {port}: cannot be used: .*--port"):
        Server(port, get_page)


# What a form sends


def form(*files: tuple[str, bytes], boundary: str = "----WebKitFormBoundaryx") -> tuple[str, bytes]:
    """The kind and the body of what browsers send."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="picture"; filename="{name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    end = f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + end


def test_files_of_a_form_are_as_they_were() -> None:
    rng = random.Random(0)
    letters = [0, 10, 13, 45, 65, 128, 255]  # line ends and dashes are what could go wrong
    files = [
        (f"ü {n} ½.jpg", bytes(rng.choice(letters) for _ in range(n))) for n in (1, 2, 3, 5, 4000)
    ]
    assert uploads(*form(*files)) == [Upload(name, data) for name, data in files]


def test_large_files_of_a_form_are_copied_and_no_more() -> None:
    kind, body = form(*((f"{n}.jpg", bytes(4_000_000)) for n in range(5)))
    tracemalloc.start()
    try:
        assert len(uploads(kind, body)) == 5
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * len(body)


def test_a_quote_in_the_name_of_a_file() -> None:
    assert uploads(*form(("a%22b.jpg", b"x"))) == [Upload('a"b.jpg', b"x")]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        form(("", b"")),  # no file was chosen
        form(),
        ("multipart/form-data", b"--x\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n--x--"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; filename*\r\n\r\nd\r\n--x--\r\n",
        ),
        ("application/x-www-form-urlencoded", b"picture=x"),
        ("", b"\xff\xfe"),
    ],
)
def test_a_form_without_files(kind: str, body: bytes) -> None:
    assert uploads(kind, body) == []


def post(server: Server, kind: str, body: bytes, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, PATIENCE_S)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/", body, {"Content-Type": kind, **names})
    return connection.getresponse()


def test_what_a_form_sends_is_answered(server: Server) -> None:
    answer = post(server, *form(("a.jpg", b"abc"), ("b c.png", b"")), Sec_Fetch_Site="same-origin")
    assert (answer.status, answer.read()) == (200, b"a.jpg:3 b c.png:0")
    assert "Refresh" not in answer.headers  # it would be sent again


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"},  # another port
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ],
)
def test_no_other_site_can_send_anything(server: Server, headers: dict[str, str]) -> None:
    assert post(server, *form(("a.jpg", b"abc")), **headers).status == 403


def test_nothing_can_be_sent_to_a_page_without_a_form() -> None:
    with Server(0, get_page) as server:
        threading.Thread(target=server.handle_request).start()
        assert post(server, *form(("a.jpg", b"abc"))).status == 405


def test_too_much_is_told_after_it_was_sent(server: Server) -> None:
    answer = post(server, *form(("a.jpg", bytes(MOST_BYTES + 1))))
    assert answer.status == 413
    assert "<p>128 MB: expected at most 128; send fewer</p>" in answer.read().decode()


def test_who_leaves_while_sending_too_much_keeps_nobody_busy(server: Server) -> None:
    with socket.create_connection(server.server_address[:2], PATIENCE_S) as client:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**13}\r\n\r\n"
        client.sendall(head.encode())
        client.shutdown(socket.SHUT_WR)
        assert b" 413 " in client.recv(100)


@pytest.mark.parametrize("length", ["", "x", "-1", "9" * 5000])
def test_without_a_length_nothing_is_read(server: Server, length: str) -> None:
    with socket.create_connection(server.server_address[:2], PATIENCE_S) as client:
        client.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert b" 411 " in client.recv(100)
