"""What is read by the stretch, and a letter at a time, is the same."""

from __future__ import annotations

import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnicli.lint.coherence import ink
from omnicli.lint.coherence.plainly import _bare, _clusters, _plain, plainly
from omnicli.lint.coherence.visible import seen
from omnicli.render.trace import Piece
from omnicli.text import _LETTERS, fold

EVENLY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)

MARKUP = st.sampled_from(
    ["<p>", "</p>", "<b hidden>", "</b>", "&amp;", "&zwnj;", " ", "\n", "a", "é", "<img alt='x'>", "<style>p{}</style>", "<s>"]
)
TEXT = st.lists(MARKUP, max_size=6).map("".join)
PAGE = (
    "<p>", "</p>", '<b style="color:#fff">', "</b>", "<br/>", "<div/>", "<h1 hidden>", "</h1>", "<TD BGCOLOR='#abc'>", '<td bgcolor="#ABC">', "</td>", "&amp;", "&lt", "a", "é", " ",
    "<!-- x -->", "<!--", "<", ">", "<style>p{}</style>", "<title>", "</title>", "<textarea>", '<a href="&quot;">', "</a>", "<!doctype html>", "\n",
)  # fmt: skip
LETTERS = st.one_of(
    st.sampled_from("a9 \n.é²½٣４\u0301\u034f\u200c\u00ad\u00a0ﬁßİıſ한€’\ufe0fØœ"), st.characters(exclude_categories=["Cs"])
)


@EVENLY
@given(st.lists(TEXT, min_size=1, max_size=5), st.booleans(), st.data())
def test_a_stretch_is_a_run_of_characters_of_one_piece(texts, page, data):
    view = seen("html", tuple(Piece(text, ("template",)) for text in texts), page=page)
    owners = [view.at(index)[0] for index in range(len(view.text))]
    assert [number for begin, end, number in view.stretches for _ in range(begin, end)] == owners
    assert all(one[2] != other[2] and one[1] == other[0] for one, other in zip(view.stretches, view.stretches[1:], strict=False))
    start = data.draw(st.integers(0, len(owners)))
    end = data.draw(st.integers(0, len(owners)))
    assert view.within(start, end) == list(dict.fromkeys(owners[start:end]))


@EVENLY
@given(st.lists(LETTERS, max_size=25).map("".join))
def test_a_text_is_read_plainly_cluster_by_cluster(text):
    read = plainly(text)
    if text.isascii():
        return
    letters, spans = [], []
    for start, end in _clusters(text):
        made = _plain(text[start:end])
        letters += made
        spans += [(start, end)] * len(made)
    assert read.text == "".join(letters)
    assert read.folded == "".join(map(_bare, letters))
    for index, span in enumerate(spans):
        assert read.span(index, index + 1) == span


@EVENLY
@given(st.lists(LETTERS, max_size=25).map("".join))
def test_folding_drops_every_combining_mark(text):
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        bare = "".join(letter for letter in parts if not unicodedata.combining(letter))
        assert fold(text) == " ".join(bare.casefold().translate(_LETTERS).split())


@EVENLY
@given(st.lists(st.sampled_from(PAGE), max_size=12).map("".join))
def test_plain_markup_is_printed_as_the_parser_reads_it(html):
    fast, slow = ink._Page(), ink._Page()
    if fast.read(html):
        slow.feed(html)
        slow.close()
        assert fast.runs == slow.runs
