"""What went wrong with the files or the network? One error that names the place and the cure."""

__all__ = ["DataError"]


class DataError(RuntimeError):
    """The images cannot be had: files damaged, folder not writable, or no network.

    ``str(error)`` names the path and the cure. ``error.reason`` is the same in a few words, without path or number,
    for the line that a notebook prints when it falls back to another source.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
