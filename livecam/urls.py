"""URLs: what to fetch, and what of them may be shown."""

from __future__ import annotations

import re
import string
import urllib.parse

WHICH = re.compile(  # of a recorder's cameras, and of a camera's streams: no secret
    r"(?<=[/?&;_])(?:ch|chn|channel|cam|camera|stream|subtype)=\d{1,3}(?![^/?&;_.])", re.IGNORECASE
)


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def without_login(url: str) -> tuple[str, str]:
    """The URL, and the `user:password` that stood in it."""
    begin = url.index("//") + 2
    authority = re.split("[/?#]", url[begin:], maxsplit=1)[0]
    login, at, _ = authority.rpartition("@")
    return url[:begin] + url[begin + len(login + at) :], login


def in_ascii(url: str) -> str:
    """As a server takes it, of a URL as browsers show it, with letters of all kinds and spaces."""
    return urllib.parse.quote(url, safe=string.punctuation)


def origin(url: str) -> tuple[str, str]:
    """Scheme, and host with port: whom a password is for."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def has_split_login(url: str) -> bool:
    """Whether what looks like port and path may be a password with / ? or # in it."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # no such URL can be
        return "@" in url
    behind = parts.netloc.rpartition("]")[2]  # an IPv6 host has colons of its own
    return ":" in behind and "@" in parts.path + parts.query + parts.fragment


def without_secrets(url: str) -> str:
    """Neither user and password nor the query, which may hold a token; nor what is in the path
    from a part like `user=admin&password=…` on. Of these it keeps which camera it is."""
    try:
        parts = urllib.parse.urlsplit(url)
        is_odd = has_split_login(url) or (parts.port or 0) < 0
    except ValueError:  # no such URL can be; opening it will say so
        is_odd = True
    if is_odd:
        hidden, _, rest = url.rpartition("@")
        if re.search("[=;]", hidden):  # the @ may be in a password in the path
            return url[: url.index("//") + 2]
        return _without_settings(re.split("[?#]", rest)[0])
    host, path = parts.netloc.rpartition("@")[2], _without_settings(parts.path)
    which = "&".join(WHICH.findall(f"{parts.path}?{parts.query}"))
    return urllib.parse.urlunsplit((parts.scheme, host, path, which, ""))


def _without_settings(path: str) -> str:
    return re.split("/[^/]*[=;]", path)[0]
