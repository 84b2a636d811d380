"""Reading on from a tag: five hundred at a time, nothing left out and nothing twice, while many phones report."""

import random

import pytest

from backend.api.optimoroute import progress, search
from backend.domain.errors import Refusal
from tests.optimoroute.rush import Rush, report
from tests.optimoroute.scenes import AT
from tests.serving import Company


def test_a_tag_that_is_sealed_as_ours_and_was_never_given_is_no_bug() -> None:
    """The seal is no secret."""
    with pytest.raises(Refusal, match="ERR_INVALID_PARAM_FORMAT"):
        progress._sequence("a", progress._tag("a", 2**63))
    assert progress._sequence("a", progress._tag("a", 2**63 - 1)) == 2**63 - 1
    body = b"2026-03-02\xff\xff"
    tag = search.base64.urlsafe_b64encode(search._seal("a", body) + body).decode()
    assert search._position("a", tag)[0] == "2026-03-02"


def test_a_page_has_five_hundred_events_and_what_remains_is_exact(company: Company) -> None:
    phone = company.driver("Ana")
    for block in range(6):
        report(phone, range(AT + block * 200, AT + block * 200 + 200))
    pages, tag = [], ""
    while True:
        page = company.v1("get_events", after_tag=tag)
        pages.append((len(page["events"]), page["remainingEvents"]))
        if page["tag"] == tag:
            break
        tag = page["tag"]
    assert pages == [(500, 700), (500, 200), (200, 0), (0, 0)]


def test_readers_of_every_lag_see_the_same_events_once_each_while_many_write(
    company: Company, rng: random.Random
) -> None:
    Rush([company], rng).run()
