from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tameflare_core.approval import LONGEST_GRANT, Answer, ApprovalState
from tameflare_core.approval_book import ApprovalBook
from tameflare_core.errors import ApprovalNotUsable, ApprovalUnavailable
from tameflare_core.testing import FIXED_TIME
from tests.core.approving import approval

APPROVED = Answer(state=ApprovalState.APPROVED, by="ada")
DENIED = Answer(state=ApprovalState.DENIED, by="ada")


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> ApprovalBook[threading.Lock]:
    return ApprovalBook(threading.Lock, clock, limit=3)


def widened(seconds: float) -> Answer:
    return Answer(state=ApprovalState.APPROVED, by="ada", widened=seconds)


# Joining


def test_same_request_joins_the_open_question(book) -> None:
    first, _ = book.enter(approval())
    second, _ = book.enter(approval())
    assert second is first
    assert len(book.pending()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/pulls/2/merge"},
        {"body": b'{"merge_method":"squash"}'},
        {"revision": "2"},
        {"method": "POST"},
    ],
    ids=str,
)
def test_another_request_asks_for_itself(book, other) -> None:
    first, _ = book.enter(approval())
    second, _ = book.enter(approval(**other))
    assert second is not first


def test_request_after_the_answer_asks_anew(book) -> None:
    first, _ = book.enter(approval())
    book.settle(first, APPROVED)
    second, _ = book.enter(approval())
    assert second is not first


# Answers


def test_first_answer_stands(book) -> None:
    question, _ = book.enter(approval())
    assert book.settle(question, DENIED)
    assert not book.settle(question, APPROVED)
    assert book.claim(question) == DENIED


def test_answer_that_is_not_final_is_none(book) -> None:
    question, _ = book.enter(approval())
    with pytest.raises(ValueError, match="final"):
        book.settle(question, Answer(state=ApprovalState.PENDING))


def test_approval_goes_to_one_of_those_that_wait(book) -> None:
    questions = [book.enter(approval())[0] for _ in range(3)]
    book.settle(questions[0], APPROVED)
    assert book.claim(questions[0]) == APPROVED
    for question in questions[1:]:
        with pytest.raises(ApprovalNotUsable, match="an identical one has used it"):
            book.claim(question)


def test_denial_goes_to_all_that_wait(book) -> None:
    questions = [book.enter(approval())[0] for _ in range(3)]
    book.settle(questions[0], DENIED)
    assert [book.claim(question) for question in questions] == [DENIED] * 3


def test_racing_answers_and_claims_have_one_outcome(book) -> None:
    questions = [book.enter(approval())[0] for _ in range(16)]

    def race(number: int) -> bool:
        book.settle(questions[number], APPROVED if number % 2 else DENIED)
        try:
            return book.claim(questions[number]).state is ApprovalState.APPROVED
        except ApprovalNotUsable:
            return False

    with ThreadPoolExecutor(16) as threads:
        used = list(threads.map(race, range(16)))
    approved = questions[0].answer == APPROVED
    assert sum(used) == (1 if approved else 0)


# Leaving


def test_last_one_to_leave_makes_the_question_void(book) -> None:
    first, _ = book.enter(approval())
    second, _ = book.enter(approval())
    assert not book.leave(first)
    assert book.leave(second)
    assert book.pending() == []
    assert not book.settle(first, APPROVED), "answering it afterwards is too late"


def test_question_of_a_client_that_does_not_wait_stays(book) -> None:
    question, kept = book.enter(approval(), detached=True)
    assert kept
    assert not book.leave(question)
    assert book.settle(question, APPROVED)


# Tickets


def kept_approval(book, **made):
    asked = approval(**made)
    question, _ = book.enter(asked, detached=True)
    book.leave(question)
    book.settle(question, APPROVED)
    return asked


def test_ticket_is_good_for_one_request(book) -> None:
    ticket = kept_approval(book).id
    question, _ = book.enter(approval(), ticket=ticket)
    assert book.claim(question) == APPROVED
    with pytest.raises(ApprovalNotUsable, match="no approval with this id"):
        book.enter(approval(), ticket=ticket)


@pytest.mark.parametrize(
    "other", [{"path": "/pulls/2/merge"}, {"body": b"[]"}, {"method": "DELETE"}], ids=str
)
def test_ticket_is_good_for_no_other_request(book, other) -> None:
    ticket = kept_approval(book).id
    with pytest.raises(ApprovalNotUsable, match="for this very request"):
        book.enter(approval(**other), ticket=ticket)
    question, _ = book.enter(approval(), ticket=ticket)
    assert book.claim(question) == APPROVED


def test_ticket_expires(book, clock) -> None:
    ticket = kept_approval(book, timeout=60).id
    clock.time += 60
    with pytest.raises(ApprovalNotUsable):
        book.enter(approval(), ticket=ticket)


def test_ticket_of_an_open_question_waits_for_it(book) -> None:
    asked = approval()
    first, _ = book.enter(asked, detached=True)
    book.leave(first)
    second, kept = book.enter(approval(), ticket=asked.id)
    assert second is first
    assert not kept


def test_ticket_of_a_denial_says_so_again_and_again(book) -> None:
    asked = approval()
    question, _ = book.enter(asked, detached=True)
    book.leave(question)
    book.settle(question, DENIED)
    for _ in range(2):
        again, _ = book.enter(approval(), ticket=asked.id)
        assert book.claim(again) == DENIED


def test_unknown_ticket_is_not_usable(book) -> None:
    with pytest.raises(ApprovalNotUsable):
        book.enter(approval(), ticket="apv_" + "0" * 32)


def test_request_that_does_not_want_to_wait_has_the_answer_that_is_there(book) -> None:
    ticket = kept_approval(book).id
    question, kept = book.enter(approval(), ticket=ticket, detached=True)
    assert not kept
    assert book.claim(question) == APPROVED


# Bounds


def test_too_many_questions_are_refused(book) -> None:
    questions = [book.enter(approval(f"/pulls/{n}/merge"))[0] for n in range(3)]
    with pytest.raises(ApprovalUnavailable, match="3 approvals are open already"):
        book.enter(approval("/pulls/9/merge"))
    book.enter(approval("/pulls/0/merge"))  # joining opens none
    book.leave(questions[1])
    book.enter(approval("/pulls/9/merge"))


def test_answers_that_were_never_used_make_room_in_time(book, clock) -> None:
    for number in range(3):
        kept_approval(book, path=f"/pulls/{number}/merge")
    with pytest.raises(ApprovalUnavailable):
        book.enter(approval("/pulls/9/merge"))
    clock.time += 60
    book.enter(approval("/pulls/9/merge"))


def test_everything_that_is_over_is_forgotten(book) -> None:
    asked = approval()
    question, _ = book.enter(asked)
    book.settle(question, APPROVED)
    book.claim(question)
    assert book.find(asked.id) is None


# Grants


def granted(book, seconds: float, **made):
    question, _ = book.enter(approval(**made))
    book.settle(question, widened(seconds))
    return book.claim(question)


def test_widened_approval_covers_the_same_action_on_the_same_resource(book) -> None:
    answer = granted(book, 3600)
    grant = book.grant_for(approval(body=b'{"merge_method":"squash"}'))
    assert grant is answer.grant
    assert grant.by == "ada"
    assert grant.expires - grant.created == timedelta(hours=1)
    assert grant.created == FIXED_TIME
    assert grant.approval_id.startswith("apv_")


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/pulls/2/merge"},
        {"path": "/pulls/1/reviews", "method": "POST"},
        {"revision": "2"},
    ],
    ids=str,
)
def test_grant_covers_nothing_else(book, other) -> None:
    granted(book, 3600)
    assert book.grant_for(approval(**other)) is None


def test_grant_expires(book, clock) -> None:
    granted(book, 3600)
    clock.time += 3599
    assert book.grant_for(approval()) is not None
    clock.time += 1
    assert book.grant_for(approval()) is None


def test_grant_is_bounded(book) -> None:
    answer = granted(book, 10 * LONGEST_GRANT)
    assert answer.widened == LONGEST_GRANT
    assert answer.grant.expires - answer.grant.created == timedelta(days=1)


def test_approval_once_grants_nothing(book) -> None:
    question, _ = book.enter(approval())
    book.settle(question, APPROVED)
    assert book.grant_for(approval()) is None


def test_denial_grants_nothing(book) -> None:
    question, _ = book.enter(approval())
    book.settle(question, Answer(state=ApprovalState.DENIED, widened=3600))
    assert book.claim(question).grant is None
    assert book.grant_for(approval()) is None


@pytest.mark.parametrize(
    "made",
    [
        {"path": "/issues", "method": "POST", "over": True},
        {"path": "/nothing/known", "method": "POST"},
        {"path": "/issues/1", "method": "POST", "body": b"not json"},
    ],
    ids=["limit", "unmapped", "unknown path"],
)
def test_approval_without_a_certain_subject_is_for_once(book, made) -> None:
    asked = approval(**made)
    assert asked.verdict.asking
    assert asked.subjects is None
    question, _ = book.enter(asked)
    book.settle(question, widened(3600))
    assert book.claim(question).grant is None
    assert book.grant_for(approval(**made)) is None
