"""What a server refuses is told in a few words: the reason alone, never libpq's questions, never a password."""

from __future__ import annotations

import psycopg
import pytest

from omnicli.store.refusals import of_server

WHERE = "127.0.0.1:5432/shop (omni_live)"
AT = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (AT + "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?", "away", "(Connection refused)"),
        (AT + 'FATAL:  role "nobody" does not exist', "login", '(role "nobody" does not exist)'),
        (AT + 'FATAL:  password authentication failed for user "omni"', "login", '(password authentication failed for user "omni")'),
        (AT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "omni", database "shop", no encryption', "login", '(no pg_hba.conf entry for host "10.0.0.9"'),
        (AT + "server does not support SSL, but SSL was required", "tls", "(server does not support SSL, but SSL was required)"),
        (AT + "FATAL:  sorry, too many clients already", "busy", "no connection left"),
        (AT + "FATAL:  the database system is starting up", "away", "starting or stopping"),
        ("connection timeout expired", "away", "(connection timeout expired)"),
        ("[Errno -2] Name or service not known", "away", "no such host"),
        ('connection failed: password=geheim postgresql://omni:geheim@db/shop', "away", "***"),
    ],
)  # fmt: skip
def test_a_refusal_says_the_reason_alone(text: str, code: str, words: str) -> None:
    said = of_server(psycopg.OperationalError(text), WHERE)
    assert said is not None
    assert (said.code, words in said.message) == (code, True), said.message
    assert "Is the server running" not in said.message
    assert "FATAL" not in said.message
    assert "geheim" not in said.message


def test_of_several_hosts_the_last_one_speaks() -> None:
    text = (
        'connection failed: connection to server at "127.0.0.1", port 5433 failed: Connection refused\n\tIs the server running on that host?\n'
        "Multiple connection attempts failed. All failures were:\n- host: '127.0.0.1', port: 5432: connection failed: connection to server at "
        '"127.0.0.1", port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n'
        "- host: '127.0.0.1', port: 5433: connection failed: connection to server at \"127.0.0.1\", port 5433 failed: session is read-only"
    )
    said = of_server(psycopg.OperationalError(text), WHERE)
    assert said is not None
    assert "(session is read-only)" in said.message
