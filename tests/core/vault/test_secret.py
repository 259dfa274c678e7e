from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable

import pytest

from tameflare_core.vault.secret import Secret

PLAIN = "ghp_this-must-not-be-seen"


@dataclasses.dataclass
class Holder:
    secret: Secret


def test_reveal_gives_the_secret() -> None:
    assert Secret(PLAIN).reveal() == PLAIN


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{:>40}".format,
        "{!r:>40}".format,
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - what logging does
        lambda secret: repr(Holder(secret)),
        lambda secret: repr([secret, {"key": secret}]),
        pprint.pformat,
    ],
)
def test_no_text_form_shows_it(show: Callable[[object], str]) -> None:
    shown = show(Secret(PLAIN))
    assert "Secret(…)" in shown
    assert PLAIN not in shown


@pytest.mark.parametrize(
    "take",
    [
        *(lambda secret, p=p: pickle.dumps(secret, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)),
        copy.copy,
        copy.deepcopy,
        lambda secret: dataclasses.asdict(Holder(secret)),
        lambda secret: secret.__getstate__(),
        lambda secret: secret.__reduce__(),
        json.dumps,
        vars,
    ],
)
def test_no_serialised_form_exists(take: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as raised:
        take(Secret(PLAIN))
    assert PLAIN not in "".join(traceback.format_exception(raised.value))


def test_log_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError(Secret(PLAIN))
    except ValueError:
        logging.getLogger("test").exception("%s %r", Secret(PLAIN), Holder(Secret(PLAIN)))
    assert caplog.text.count("Secret(…)") == 3
    assert PLAIN not in caplog.text


def test_traceback_with_locals_does_not_show_it() -> None:
    secret = Secret(PLAIN)
    try:
        raise ValueError(secret)
    except ValueError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        shown = "".join(lines)
    assert "secret = Secret(…)" in shown
    assert PLAIN not in shown


def test_equal_secrets_compare_equal() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\udc80") != Secret("\udc81")  # text with no UTF-8 does not raise either


def test_hash_says_nothing_about_the_text() -> None:
    assert hash(Secret("a")) == hash(Secret("b"))
