"""What Qt may have missed is told to it again: that its window is on the screen.

On a busy machine the Qt 5.15 of OpenCV's wheels loses events that arrive while it starts. If the
notice that its window was mapped is among them, it never paints: the window stays black. Seen at
one start in five where there is no window manager, as in a kiosk, and never with one.

libxcb, unlike Xlib, does not end the process when a window that is looked at is closed meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import time
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_uint8, c_uint16, c_uint32, c_void_p
from typing import Any

MAP_NOTIFY, STRUCTURE_NOTIFY = 19, 1 << 17  # an event, and who is to get it
AFTER_S = (0.1, 0.4, 1.5)  # between one time and the next
VIEWABLE = 2  # of the states of a window: it and all that it is in are mapped


class _Cookie(ctypes.Structure):
    _fields_ = [("sequence", ctypes.c_uint)]


class _Screens(ctypes.Structure):
    _fields_ = [("root", POINTER(c_uint32)), ("left", c_int), ("index", c_int)]


FUNCTIONS = {  # what it gives, what it takes
    "xcb_connect": (c_void_p, [c_char_p, c_void_p]),
    "xcb_connection_has_error": (c_int, [c_void_p]),
    "xcb_disconnect": (None, [c_void_p]),
    "xcb_flush": (c_int, [c_void_p]),
    "xcb_get_setup": (c_void_p, [c_void_p]),
    "xcb_setup_roots_iterator": (_Screens, [c_void_p]),
    "xcb_screen_next": (None, [POINTER(_Screens)]),
    "xcb_query_tree": (_Cookie, [c_void_p, c_uint32]),
    "xcb_query_tree_reply": (c_void_p, [c_void_p, _Cookie, c_void_p]),
    "xcb_query_tree_children": (POINTER(c_uint32), [c_void_p]),
    "xcb_query_tree_children_length": (c_int, [c_void_p]),
    "xcb_get_property": (_Cookie, [c_void_p, c_uint8, *[c_uint32] * 5]),
    "xcb_get_property_reply": (c_void_p, [c_void_p, _Cookie, c_void_p]),
    "xcb_get_property_value": (c_void_p, [c_void_p]),
    "xcb_get_property_value_length": (c_int, [c_void_p]),
    "xcb_get_window_attributes": (_Cookie, [c_void_p, c_uint32]),
    "xcb_get_window_attributes_reply": (c_void_p, [c_void_p, _Cookie, c_void_p]),
    "xcb_intern_atom": (_Cookie, [c_void_p, c_uint8, c_uint16, c_char_p]),
    "xcb_intern_atom_reply": (c_void_p, [c_void_p, _Cookie, c_void_p]),
    "xcb_send_event": (_Cookie, [c_void_p, c_uint8, c_uint32, c_uint32, c_char_p]),
}


def tell_mapped_soon() -> None:
    """Some times while a window comes up; from a thread of its own, as a server may be far away.
    Where there is no X server, never."""
    name = os.environ.get("DISPLAY")
    if not name:
        return

    def tell() -> None:
        for after_s in AFTER_S:
            time.sleep(after_s)
            tell_mapped(name)

    threading.Thread(target=tell, name="livecam window", daemon=True).start()


def tell_mapped(name: str) -> None:
    """Tell each window of this process so that is on the screen of the server of this name."""
    try:
        xcb = _library()
    except OSError:
        return
    server = xcb.xcb_connect(name.encode(), None)
    if not xcb.xcb_connection_has_error(server):
        pid = _atom(xcb, server, b"_NET_WM_PID")
        for window in _windows(xcb, server):
            if _owner(xcb, server, window, pid) == os.getpid() and _is_seen(xcb, server, window):
                event = struct.pack("=BxHIIB19x", MAP_NOTIFY, 0, window, window, 0)
                xcb.xcb_send_event(server, 0, window, STRUCTURE_NOTIFY, event)
        xcb.xcb_flush(server)
    xcb.xcb_disconnect(server)


def _library() -> Any:
    xcb = ctypes.CDLL("libxcb.so.1")
    for name, (gives, takes) in FUNCTIONS.items():
        function = getattr(xcb, name)
        function.restype, function.argtypes = gives, takes
    return xcb


def _windows(xcb: Any, server: int) -> Iterator[int]:
    """All windows of all screens, window managers' frames and what is in them."""
    screens = xcb.xcb_setup_roots_iterator(xcb.xcb_get_setup(server))
    waiting = []
    while screens.left:
        waiting.append(screens.root[0])
        xcb.xcb_screen_next(ctypes.byref(screens))
    while waiting:
        window = waiting.pop()
        yield window
        cookie = xcb.xcb_query_tree(server, window)
        reply = xcb.xcb_query_tree_reply(server, cookie, None)
        if reply:
            children = xcb.xcb_query_tree_children(reply)
            waiting += children[: xcb.xcb_query_tree_children_length(reply)]
            _free(reply)


def _owner(xcb: Any, server: int, window: int, pid: int) -> int:
    """The process that says that a window is its own, or 0."""
    cookie = xcb.xcb_get_property(server, 0, window, pid, 0, 0, 1)
    reply = xcb.xcb_get_property_reply(server, cookie, None)
    if not reply:
        return 0
    value, length = xcb.xcb_get_property_value(reply), xcb.xcb_get_property_value_length(reply)
    owner = c_uint32.from_address(value).value if length == 4 else 0
    _free(reply)
    return owner


def _is_seen(xcb: Any, server: int, window: int) -> bool:
    cookie = xcb.xcb_get_window_attributes(server, window)
    reply = xcb.xcb_get_window_attributes_reply(server, cookie, None)
    if not reply:
        return False
    state = c_uint8.from_address(reply + 26).value  # xcb_get_window_attributes_reply_t.map_state
    _free(reply)
    return state == VIEWABLE


def _atom(xcb: Any, server: int, name: bytes) -> int:
    cookie = xcb.xcb_intern_atom(server, 0, len(name), name)
    reply = xcb.xcb_intern_atom_reply(server, cookie, None)
    if not reply:
        return 0
    atom = c_uint32.from_address(reply + 8).value  # xcb_intern_atom_reply_t.atom
    _free(reply)
    return atom


def _free(reply: int) -> None:
    free = ctypes.CDLL(None).free
    free.argtypes = [c_void_p]
    free(reply)
