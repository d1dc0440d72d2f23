"""What keeps text as it is in every SQL database: types and options of tables (extra `sql`)."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy.dialects import mysql

MYSQL: Final = ("mysql", "mariadb")
"""SQLAlchemy's names for the two databases that speak MySQL."""

TEXT: Final[Any] = sql.Text().with_variant(mysql.LONGTEXT(), *MYSQL)
"""Text of any length; MySQL's own TEXT ends at 64 KiB."""

OPTIONS: Final[Mapping[str, Any]] = {
    f"{name}_{option}": value
    for name in MYSQL
    for option, value in {"charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}
"""Every character there is, and `a` is not `A`: many a MySQL's default is neither."""


def key_text(longest: int) -> Any:
    """Text that is part of a key: of any length, but `longest` characters in MySQL, whose keys take 768 in all."""
    return sql.Text().with_variant(mysql.VARCHAR(longest), *MYSQL)
