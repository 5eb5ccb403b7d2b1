import socket
import struct

import pytest

from debias_eval.execution.inside.channel import Channel, ChannelClosedError
from debias_eval.execution.inside.values import MalformedError, ValueTooLargeError


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_a_frame_and_its_descriptor_arrive(pair):
    left, right = (Channel(sock) for sock in pair)
    left.send({"a": [1, "ü"]}, fds=(pair[0].fileno(),))
    message, fds = right.recv_with_fds()
    assert message == {"a": [1, "ü"]}
    (fd,) = fds
    socket.socket(fileno=fd).close()


@pytest.mark.parametrize(
    "data", [b"null", b"[1]", b"\xff\xfe", b'{"a": NaN}', b"{", b"[" * 100_000, b'{"a": 1} x']
)
def test_what_is_no_json_object_is_refused(pair, data):
    left, right = pair
    left.sendall(struct.pack(">I", len(data)) + data)
    with pytest.raises(MalformedError):
        Channel(right).recv()


def test_a_frame_that_claims_four_gigabytes_is_refused_at_once(pair):
    left, right = pair
    left.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(MalformedError, match="4294967295"):
        Channel(right).recv()


def test_an_end_in_the_middle_is_told_from_a_frame(pair):
    left, right = pair
    left.sendall(struct.pack(">I", 10) + b"abc")
    left.shutdown(socket.SHUT_WR)
    with pytest.raises(ChannelClosedError):
        Channel(right).recv()


def test_the_sender_keeps_to_the_cap_too(pair):
    with pytest.raises(ValueTooLargeError):
        Channel(pair[0], max_bytes=100).send({"a": "x" * 200})
