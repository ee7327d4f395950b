"""The face of omni's pages."""

from __future__ import annotations

from omnicli import look


def test_a_page_wears_the_colours_of_its_brand() -> None:
    page = look.document("Title", "<p>Body</p>", colours={"primary": "#123456", "accent": "#abc"})
    assert ":root{--brand:#123456;--accent:#abc}" in page


def test_what_is_no_colour_never_reaches_a_style_sheet() -> None:
    page = look.document("Title", "", colours={"primary": "red}</style><script>", "accent": ""})
    assert ":root{--brand:#2b2350;--accent:#c98a2b}" in page
    assert "<script>" not in page


def test_pages_that_share_a_sheet_name_it_and_carry_no_other() -> None:
    page = look.document("Title", "", sheet="../_/outbox.css")
    assert '<link rel="stylesheet" href="../_/outbox.css">' in page
    assert look.style() not in page
