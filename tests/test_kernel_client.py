"""A reply is found even when the signal of its arrival is lost; an absence of replies is still noticed."""

import asyncio
import time
from queue import Empty

import pytest
import zmq
import zmq.asyncio
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session

from tests.tools.kernel_client import ShellChannel


def receive(channel_class, *, lose_the_signal, patience_s):
    """What a channel receives when a reply comes while it waits."""

    async def scene():
        with (
            zmq.Context() as kernel_side,
            zmq.asyncio.Context() as client_side,
            kernel_side.socket(zmq.PAIR) as kernel,
            client_side.socket(zmq.PAIR) as socket,
        ):
            socket.connect(f"tcp://127.0.0.1:{kernel.bind_to_random_port('tcp://127.0.0.1')}")
            session = Session(key=b"test")
            waiting = asyncio.create_task(channel_class(socket, session).get_msg(60))
            await asyncio.sleep(0.2)  # it waits now
            session.send(kernel, "execute_reply", {"status": "ok"})
            if lose_the_signal:
                time.sleep(0.2)  # the reply arrives, and this thread has not looked yet
                zmq.Socket.shadow(socket.underlying).get(zmq.EVENTS)  # sending would do this as well
            return await asyncio.wait_for(waiting, patience_s)

    return asyncio.run(scene())


@pytest.mark.parametrize("lose_the_signal", [False, True])
def test_a_reply_arrives_with_and_without_its_signal(lose_the_signal):
    message = receive(ShellChannel, lose_the_signal=lose_the_signal, patience_s=30)
    assert message["header"]["msg_type"] == "execute_reply"


def test_without_the_repair_a_reply_whose_signal_is_lost_does_not_arrive():
    with pytest.raises(TimeoutError):
        receive(AsyncZMQSocketChannel, lose_the_signal=True, patience_s=3)


def test_no_reply_is_noticed_at_the_time_out():
    async def scene():
        with zmq.asyncio.Context() as context, context.socket(zmq.PAIR) as socket:
            await ShellChannel(socket, Session(key=b"")).get_msg(0.1)

    with pytest.raises(Empty):
        asyncio.run(scene())
