"""Writes `lalr.py`, the stand-alone parser of `grammar.lark`: run `python -m omnicli.condition.generate` after an edit.

The package ships what lark generates, so that reading a condition does not import lark (docs/recipes 6).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).parent
GRAMMAR = HERE / "grammar.lark"
PARSER = HERE / "lalr.py"


def fingerprint() -> str:
    """SHA-256 of the grammar, kept in the first line of the generated parser."""
    return hashlib.sha256(GRAMMAR.read_bytes()).hexdigest()


def generate() -> str:
    """The text of the stand-alone parser, its first line naming the grammar that it was made from."""
    from io import StringIO

    from lark import Lark
    from lark.tools.standalone import gen_standalone

    grammar = Lark(
        GRAMMAR.read_text(encoding="utf-8"), parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=True
    )
    out = StringIO()
    gen_standalone(grammar, out=out)  # type: ignore[no-untyped-call]
    # lark takes the `regex` package when it is installed (20 ms): the patterns need only `re`, whatever stands in the house
    text = out.getvalue().replace("try:\n    import regex\n", "try:\n    raise ImportError('re is enough')\n", 1)
    return f"# grammar {fingerprint()}\n{text}"


if __name__ == "__main__":
    PARSER.write_text(generate(), encoding="utf-8")
