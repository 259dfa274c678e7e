"""The head of a push: what git writes is read, everything else is opaque."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tameflare_core.errors import OpaqueBody
from tameflare_core.parsers.git_smart_http import MAX_UPDATES, Push, RefUpdate, read_push

ZERO = "0" * 40
OLD = "1" * 40
NEW = "ab" * 20
CAPABILITIES = "\0 report-status side-band-64k object-format=sha1 agent=git/2.39.5"
FLUSH = b"0000"
PACK = b"PACK\0\0\0\2" + bytes(range(256))


def packet(line: str | bytes) -> bytes:
    data = line.encode() if isinstance(line, str) else line
    return b"%04x%b" % (len(data) + 4, data)


def packets(lines: Iterable[str | bytes]) -> bytes:
    return b"".join(map(packet, lines)) + FLUSH


def command(ref: str = "refs/heads/main", old: str = OLD, new: str = NEW) -> str:
    return f"{old} {new} {ref}"


def refs(head: bytes) -> list[str]:
    return [update.ref for update in read_push(head).updates]


# What git and other clients write


def test_each_command_is_an_update() -> None:
    head = packets(
        [
            command() + CAPABILITIES,
            command("refs/heads/new", old=ZERO),
            command("refs/tags/gone", new=ZERO),
        ]
    )
    updates = read_push(head + PACK).updates
    assert updates == (
        RefUpdate(ref="refs/heads/main", old=OLD, new=NEW),
        RefUpdate(ref="refs/heads/new", old=ZERO, new=NEW),
        RefUpdate(ref="refs/tags/gone", old=OLD, new=ZERO),
    )
    assert [update.creates for update in updates] == [False, True, False]
    assert [update.deletes for update in updates] == [False, False, True]


def test_pack_is_not_read() -> None:
    head = packets([command() + CAPABILITIES])
    assert read_push(head + PACK) == read_push(head + b"0000" * 9) == read_push(head)


def test_line_ends_and_shallow_lines_are_left_out() -> None:
    lines = [f"shallow {OLD}", f"shallow {NEW}\n", command() + CAPABILITIES + "\n"]
    assert refs(packets([*lines, command("refs/heads/x") + "\n"])) == [
        "refs/heads/main",
        "refs/heads/x",
    ]


def test_ids_of_sha256_are_read() -> None:
    (update,) = read_push(packets([command(old="0" * 64, new="c" * 64) + CAPABILITIES])).updates
    assert (update.creates, update.new) == (True, "c" * 64)


def test_push_options_are_read_when_announced() -> None:
    head = packets([command() + CAPABILITIES + " push-options"])
    options = packets(["ci.skip", "reason=näh\n"])
    assert read_push(head + options + PACK).options == ("ci.skip", "reason=näh")
    assert read_push(packets([command() + CAPABILITIES]) + options).options == ()


def test_capability_with_a_value_announces_options_too() -> None:
    """git takes `push-options=0` for the capability."""
    head = packets([command() + "\0push-options=0"])
    assert read_push(head + packets(["x"])).options == ("x",)


def test_probe_for_access_updates_nothing() -> None:
    assert read_push(FLUSH) == Push()


@pytest.mark.parametrize(
    "ref", ["refs/heads/feature/x", "refs/heads/ö", "refs/for/main", "refs/heads/a.b", "refs/x@y"]
)
def test_ref_name_of_git_is_read(ref: str) -> None:
    assert refs(packets([command(ref) + CAPABILITIES])) == [ref]


# What is opaque

FIRST = command() + CAPABILITIES


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"000",
        FLUSH + PACK,
        FLUSH + packets([FIRST]),
        packet(FIRST),
        packets([FIRST])[:-1],
        packets([FIRST])[:30],
        packets([f"shallow {OLD}"]),
        packets([command()]),
        b"0001" + packets([FIRST]),
        packet(FIRST) + b"0001" + FLUSH,
        packet(FIRST) + b"0002" + FLUSH,
        packet(FIRST) + b"0003" + FLUSH,
        packet(FIRST) + b"0004" + FLUSH,
        packet(FIRST) + b"-001" + FLUSH,
        packet(FIRST) + b"+0ff" + FLUSH,
        packet(FIRST) + b" 0ff" + FLUSH,
        packet(FIRST).upper() + FLUSH,
        packets([FIRST, command("refs/heads/x") + CAPABILITIES]),
        packets([FIRST + "\0push-options"]),
        packets([FIRST + "\nx"]),
        packets([FIRST + "\u00a0push-options"]),
        packets([FIRST, f"shallow {OLD}"]),
        packets(["shallow x", FIRST]),
        packets([FIRST, command("refs/heads/main", old=ZERO)]),
        packets([FIRST, command("refs/heads/x", old="2" * 64, new="3" * 64)]),
        packets([command(old="2" * 64) + CAPABILITIES]),
        packets([command(new=NEW.upper()) + CAPABILITIES]),
        packets([command(new=NEW[1:]) + CAPABILITIES]),
        packets([f"{OLD}  {NEW} refs/heads/main" + CAPABILITIES]),
        packets([f" {FIRST}"]),
        packets([FIRST, "\n"]),
        packets([FIRST, b"\xff" * 90]),
        packets([FIRST, f"{OLD} {NEW} refs/heads/".encode() + b"\xc0\xaf"]),
        packets([f"push-cert{CAPABILITIES}\n", "certificate version 0.1\n", "push-cert-end\n"]),
        packets([FIRST, "push-cert"]),
        packets([FIRST + " push-options"]),
        packets([FIRST + " push-options"]) + packet("ci.skip"),
        packets([FIRST + " push-options"]) + packets(["a\nb"]),
        packets([FIRST + " push-options"]) + packets(["a\0b"]),
        packets([FIRST + " push-options"]) + packets([b"\xff"]),
        packets([FIRST + " push-options"]) + packets(["x"] * 101),
        b"fff5" + b"x" * 65521 + FLUSH,
    ],
)
def test_what_git_does_not_write_is_opaque(head: bytes) -> None:
    with pytest.raises(OpaqueBody):
        read_push(head)


@pytest.mark.parametrize(
    "ref",
    [
        "HEAD",
        "main",
        "refs/",
        "REFS/heads/main",
        "refs/heads/../main",
        "refs/heads//main",
        "refs/heads/.main",
        "refs/heads/main.",
        "refs/heads/main/",
        "refs/heads/main.lock",
        "refs/heads/a.lock/b",
        "refs/heads/ma in",
        "refs/heads/main\n",
        "refs/heads/main\r",
        "refs/heads/ma\tin",
        "refs/heads/main^0",
        "refs/heads/main~1",
        "refs/heads/ma:in",
        "refs/heads/ma?n",
        "refs/heads/*",
        "refs/heads/[m]ain",
        "refs/heads/ma\\in",
        "refs/heads/main@{0}",
        "refs/heads/main\x7f",
    ],
)
def test_ref_name_that_git_refuses_is_opaque(ref: str) -> None:
    with pytest.raises(OpaqueBody):
        read_push(packets([command(ref) + CAPABILITIES]))


def test_number_of_refs_is_bounded() -> None:
    lines = [command(f"refs/tags/v{number}", old=ZERO) for number in range(MAX_UPDATES + 1)]
    lines[0] += CAPABILITIES
    assert len(refs(packets(lines[:-1]))) == MAX_UPDATES
    with pytest.raises(OpaqueBody, match="too many"):
        read_push(packets(lines))


# Anything at all

LINES = st.one_of(
    st.binary(max_size=80),
    st.builds(
        command,
        st.sampled_from(["refs/heads/main", "refs/tags/v1", "refs/heads/é", "x"]),
        st.sampled_from([ZERO, OLD, "0" * 64]),
        st.sampled_from([ZERO, NEW, "f" * 64]),
    ).map(str.encode),
    st.sampled_from([FIRST.encode(), FIRST.encode() + b" push-options\n", b"shallow " + b"a" * 40]),
)
HEADS = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.one_of(LINES.map(packet), st.sampled_from([FLUSH, b"0001", b"0002", b"0004", PACK]))
    ).map(b"".join),
)


@given(HEADS)
@example(packet(b"a" * 65516) * 16)
@example(packet(FIRST) + packet(command("refs/heads/" + "a/" * 32000)) * 15)
@example(packet(FIRST) + packet(command("refs/heads/" + ".lock" * 13000)) * 15)
@example(packet(FIRST + " push-options" * 5000) + FLUSH)
@example(b"".join(packet(command(f"refs/heads/{n}")) for n in range(10_000)))
def test_any_bytes_are_read_or_opaque(head: bytes) -> None:
    started = time.thread_time()
    try:
        push = read_push(head)
    except OpaqueBody:
        pass
    else:
        # INVARIANT: every ref that is named stands in the bytes.
        assert all(update.ref.encode() in head for update in push.updates)
    assert time.thread_time() - started < 0.05


@given(HEADS, HEADS)
def test_what_follows_the_commands_changes_nothing(head: bytes, rest: bytes) -> None:
    try:
        push = read_push(head)
    except OpaqueBody:
        return
    if push.updates:
        assert read_push(head + rest) == push
