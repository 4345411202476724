"""How does a kernel's reply arrive for certain? A client that looks again when nobody wakes it.

For an Output widget nbclient sends a message on the shell channel while it waits there for a reply. It sends past
zmq.asyncio, and sending takes away the signal that a message has come (zmq_getsockopt(3), ZMQ_FD: "edge-triggered"):
a reply that came in that moment lies in the socket until the time-out, 2000 s later.
"""

import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from traitlets import Type

__all__ = ["KernelClient", "ShellChannel"]

LOOK_AGAIN_S = 1.0


class ShellChannel(AsyncZMQSocketChannel):
    """Waits for a message in short turns; each begins with a look into the socket."""

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """The next message.

        Raises:
            Empty: none came within ``timeout`` seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = LOOK_AGAIN_S if until is None else min(LOOK_AGAIN_S, max(0.0, until - time.monotonic()))
            try:
                return await super().get_msg(left)
            except Empty:
                if until is not None and time.monotonic() >= until:
                    raise


class KernelClient(AsyncKernelClient):
    """The client of ``jupyter_client`` with that shell channel."""

    shell_channel_class = Type(ShellChannel)
