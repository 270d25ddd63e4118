"""What of a URL may be shown, and to whom a password goes."""

from __future__ import annotations

import pytest

from livecam.urls import has_split_login, in_ascii, is_url, origin, without_login


@pytest.mark.parametrize(
    ("url", "shown", "login"),
    [
        ("http://host/a.jpg", "http://host/a.jpg", ""),
        ("http://u:p@host/a.jpg?x=1#y", "http://host/a.jpg?x=1#y", "u:p"),
        ("https://u@host", "https://host", "u"),
        ("HTTP://u:p@host:80/@b", "HTTP://host:80/@b", "u:p"),
        ("http://u:p@q@[::1]:80/a", "http://[::1]:80/a", "u:p@q"),
        ("http://host/a@b.jpg", "http://host/a@b.jpg", ""),
        ("http://@host/", "http://host/", ""),
        ("http://", "http://", ""),
    ],
)
def test_a_login_is_taken_out(url: str, shown: str, login: str) -> None:
    assert without_login(url) == (shown, login)


@pytest.mark.parametrize(
    ("url", "may_be"),
    [
        ("http://host/a@b.jpg", False), ("http://[::1]/a@b.jpg", False),
        ("http://u:p@[::1]/a@b.jpg", False), ("http://u:p@host/a.jpg", False),
        ("http://host:99999/a.jpg", False), ("http://host:x/a.jpg", False),
        ("http://u:1/2@host/a.jpg", True), ("http://u:#p@host/a.jpg", True),
        ("http://u:?p@host/a.jpg", True), ("http://u:p[q@host/", True),
        ("http://host:80/a@b.jpg", True),
    ],
)  # fmt: skip
def test_what_looks_like_a_path_may_be_a_password(url: str, may_be: bool) -> None:
    assert has_split_login(url) == may_be


def test_urls_as_browsers_show_them() -> None:
    assert in_ascii("http://host/bü ro%20x.jpg?a=é&b=1#c") == (
        "http://host/b%C3%BC%20ro%20x.jpg?a=%C3%A9&b=1#c"
    )


def test_a_password_is_for_a_scheme_a_host_and_a_port() -> None:
    assert origin("http://host:80/a") == origin("http://host:80/b?c")
    others = ("https://host:80/a", "http://host/a", "http://host:81/a", "http://hos/t:80/a")
    assert all(origin("http://host:80/a") != origin(other) for other in others)


@pytest.mark.parametrize("text", ["http://x", "HTTPS://x"])
def test_a_url_may_be_in_capitals(text: str) -> None:
    assert is_url(text)
    assert not is_url(f"a{text}")
