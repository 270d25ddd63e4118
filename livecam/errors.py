"""What goes wrong, as one line for the person at the keyboard.

LivecamError            a failure at run time: an input, a device, a model, a disk   exit code 1
├── StoppedError        a clip that ends before its time; its text says at which frame
├── NotNowError         of `store`: it may be possible later, with room on the disk
│   └── BusyError       another program holds the file
└── UsageError          a command or a configuration that cannot be meant            exit code 2
"""


class LivecamError(Exception):
    """Its text says what, what was expected, and what to do."""


class StoppedError(LivecamError):
    """The frames until then were good."""


class UsageError(LivecamError):
    """Nothing was started: the request itself has to change."""


def reason(error: Exception) -> str:
    """What FFmpeg or the system says, without what Python adds."""
    return getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
