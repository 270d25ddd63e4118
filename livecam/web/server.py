"""Serves one page, and what is asked for on it, to browsers on this computer.

Nobody else can open it, no page of another site can use it, and it has no scripts and loads
nothing.
"""

from __future__ import annotations

import email.message
import email.parser
import email.policy
import html
import http.server
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from livecam.document import document
from livecam.errors import LivecamError, reason

HOST = "127.0.0.1"
# a page of another site may have led a browser here by a name of its own
NAMES = frozenset({"127.0.0.1", "localhost"})
REFRESH_S = 60.0  # a page that is made anew loses where it was scrolled to
WORK_SHARE = 0.05  # …and asks no more of a computer that labels, too
MOST_BYTES = 128_000_000  # of the files that are sent at once
MOST_DIGITS = 15  # of a length
CHUNK_BYTES = 1 << 16  # of what is sent and refused
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # without any, a form does not say which page it is from
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Response:
    """`may_change`: the same request is worth asking again soon."""

    status: HTTPStatus
    kind: str
    text: str
    may_change: bool = False

    @classmethod
    def refusal(
        cls, status: HTTPStatus, why: str, may_change: bool = False, back: str = "/"
    ) -> Response:
        """A page with the reason, and the way back."""
        parts = (f"<p>{html.escape(why)}</p>", f'<p><a href="{html.escape(back)}">back</a></p>')
        return cls(status, "text/html", document("livecam", parts), may_change)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a form has sent."""

    name: str
    data: bytes


Get = Callable[[str], Response]  # of the path that is asked for, with its query
Post = Callable[[Sequence[Upload]], Response]


class Server(http.server.ThreadingHTTPServer):
    """`get` answers what a browser asks for, `post` what the page's form sends, if it has one; both
    from several threads. Raises LivecamError if the port cannot be had; 0: any."""

    # Windows takes that for leave to share a port with a server that is there already
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, port: int, get: Get, post: Post | None = None) -> None:
        self.get, self.post = get, post
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise LivecamError(
                f"port {port}: cannot be used: {reason(error)}; give another one with --port"
            ) from error

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that is closed while it is answered is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10.0
    server: Server

    def do_GET(self) -> None:
        began_s = time.perf_counter()
        response = self._refusal(may_be_linked=True) or self.server.get(self.path)
        self._send(response, took_s=time.perf_counter() - began_s)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        given = self.headers.get("Content-Length", "")
        if not (given.isdecimal() and len(given) < MOST_DIGITS):
            self._send(Response.refusal(HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length"))
            return
        length = int(given)
        refusal = self._refusal(may_be_linked=False) or self._unwanted(length)
        if refusal is not None:
            for at in range(0, length, CHUNK_BYTES):
                # a browser reads no answer before it has sent everything
                if not self.rfile.read(min(length - at, CHUNK_BYTES)):
                    break  # it has gone
            self._send(refusal)
            return
        assert self.server.post is not None  # else it was refused
        body = self.rfile.read(length)
        self._send(self.server.post(uploads(self.headers.get("Content-Type", ""), body)))

    def _unwanted(self, length: int) -> Response | None:
        """The refusal of what the page does not take."""
        if self.server.post is None:
            return Response.refusal(
                HTTPStatus.METHOD_NOT_ALLOWED, "nothing can be sent to this page"
            )
        if length > MOST_BYTES:
            why = f"{length / 1e6:.0f} MB: expected at most {MOST_BYTES / 1e6:.0f}; send fewer"
            return Response.refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
        return None

    def _refusal(self, may_be_linked: bool) -> Response | None:
        """Of what does not come from the page, nor from somebody who opens it. A page of another
        site may have a link to it, but no picture of this address, to keep this computer busy."""
        host = self.headers.get("Host", "")
        name = host.rpartition(":")[0] or host
        is_opened = may_be_linked and self.headers.get("Sec-Fetch-Mode") == "navigate"
        is_own = self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
        is_own &= self.headers.get("Origin", f"http://{host}") == f"http://{host}"
        if name in NAMES and (is_own or is_opened):
            return None
        how = "by a page of another site" if name in NAMES else f"as {name!r}"
        why = f"asked for {how}; on this computer open {self.server.url}"
        return Response.refusal(HTTPStatus.FORBIDDEN, why, back=self.server.url)

    def _send(self, response: Response, took_s: float = 0.0) -> None:
        body = response.text.encode(errors="backslashreplace")
        self.send_response(response.status)
        self.send_header("Content-Type", f"{response.kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if response.may_change:
            self.send_header("Refresh", f"{max(REFRESH_S, took_s / WORK_SHARE):.0f}")
        for header, value in HEADERS.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Who looks when is nobody's business."""


def uploads(kind: str, body: bytes) -> list[Upload]:
    """The files in what a form has sent as multipart/form-data; none where no file was chosen.

    The heads alone go through `email`, which takes seconds, and ten times the memory, for pictures.
    """
    form = email.message.Message()
    form["Content-Type"] = kind
    boundary = form.get_boundary()
    if not boundary or form.get_content_type() != "multipart/form-data":
        return []
    heads = email.parser.BytesHeaderParser(policy=email.policy.HTTP)
    files = []
    for part in (b"\r\n" + body).split(f"\r\n--{boundary}".encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        try:
            name = heads.parsebytes(head.removeprefix(b"\r\n")).get_filename()
        except (LookupError, ValueError):  # of what no browser sends
            continue
        if name:
            files.append(Upload(name.replace("%22", '"'), data))  # so browsers write a quote
    return files
