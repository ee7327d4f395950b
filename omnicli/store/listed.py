"""A list of ids as one value: a statement that never changes, whoever it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from omnicli.store.arrays import ints


class one_of(FunctionElement[Any]):
    """`one_of(column, sa.bindparam("ids"))`: whether the column is one of those given as `listed(…)`. (Called a boolean, SQLAlchemy would
    ask whether it is 1, and SQLite no index.)"""

    inherit_cache = True
    name = "one_of"
    type = sa.Integer()


@compiles(one_of)
def _sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    column, ids = (compiler.process(c, **kw) for c in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"


@compiles(one_of, "postgresql")
def _postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    column, ids = (compiler.process(c, **kw) for c in element.clauses)
    return f"{column} = ANY({ids})"


def listed(dialect: str, ids: Iterable[int]) -> Any:
    """Ids as the driver takes them in one piece."""
    return f"[{','.join(map(str, ids))}]" if dialect == "sqlite" else ints(ids)
