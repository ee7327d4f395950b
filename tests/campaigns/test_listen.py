"""The bounce mailbox of a live store: read once, stored before it is marked, believed only by our own marks."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stores
from campaigns.stage import OMNI, Stage, a_campaign

from omnicli.campaigns import listen as module
from omnicli.campaigns.listen import Listened, listen
from omnicli.model.signed import mark
from omnicli.providers.bounces import mailboxes
from omnicli.store import keys

MAILS = Path(__file__).parent.parent / "providers" / "mails"
BOX = OMNI + "providers: {smtp: {host: 127.0.0.1, bounces: mail/bounces}}\n"


class Ground:
    """A live store with one accepted e-mail to Léa, lived through once; tests get copies of it."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder, a_campaign("- send: offre\n  id: j0\n  by: email"), omni=BOX)
        self.stage.person("lea")
        self.stage.says("lea", "signup", form="x")
        assert self.stage.run("2027-01-04 10:00") == ["lea j0 email accepted 2027-01-04 10:00"]
        (key,) = self.stage.row("SELECT hex(touch_key) FROM touch")
        self.touch = key.lower()
        self.kept = stores.keep(self.stage.store)


class Post:
    """A copy of the ground, and a box that mails are put into."""

    def __init__(self, ground: Ground) -> None:
        self.stage = copy.copy(ground.stage)
        self.stage.store = stores.again(ground.kept, None)
        self.stage.store.live = True
        self.touch = ground.touch
        self.box = ground.stage.folder / "mail" / "bounces"
        shutil.rmtree(self.box.parent, ignore_errors=True)
        self.serial = 0

    @property
    def key(self) -> bytes:
        return keys.of_store(self.stage.store, "maison").key

    def mail(self, name: str, attempt: int = 1, touch: str | None = None) -> bytes:
        raw = (MAILS / name).read_bytes()
        touch = touch or self.touch
        return raw.replace(b"{mark}", mark(self.key, touch, attempt).encode()).replace(b"{touch}", touch.encode())

    def maildir(self) -> None:
        for folder in ("new", "cur", "tmp"):
            (self.box / folder).mkdir(parents=True, exist_ok=True)

    def put(self, raw: bytes, folder: str = "new", flags: str = "") -> None:
        self.serial += 1
        (self.box / folder / f"{1_700_000_000 + self.serial}.M1P1.mx{flags}").write_bytes(raw)

    def append(self, raw: bytes) -> None:
        self.box.parent.mkdir(parents=True, exist_ok=True)
        with self.box.open("ab") as file:
            file.write(b"From MAILER-DAEMON Mon Jan  4 10:31:00 2027\n" + raw.replace(b"\nFrom ", b"\n>From ") + b"\n")

    def listen(self) -> Listened:
        """What was found; how many people it barred stands in `barred`."""
        self.stage.now += timedelta(minutes=1)
        found = listen(self.stage.store, self.stage.loaded, now=self.stage.now)
        self.barred = found.opted_out
        return replace(found, opted_out=0)

    def inbox(self) -> list[Any]:
        return self.stage.rows("SELECT provider FROM inbox WHERE provider = 'smtp'")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"))


@pytest.fixture
def post(ground: Ground) -> Iterator[Post]:
    found = Post(ground)
    yield found
    found.stage.store.close()


def test_a_bounce_is_stored_and_then_marked_as_read(post: Post) -> None:
    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))
    assert post.listen() == Listened(read=1, new=1)
    (read,) = (post.box / "cur").iterdir()
    assert read.name.endswith(":2,S")
    assert list((post.box / "new").iterdir()) == []
    assert len(post.inbox()) == 1
    assert post.listen() == Listened()


def test_a_mail_to_the_unsubscribe_address_bars_before_the_next_fold(post: Post) -> None:
    post.maildir()
    post.put(post.mail("unsubscribe.eml"))
    assert post.listen().new == 1
    assert post.barred == 1
    assert post.stage.row("SELECT count(*) FROM suppression") == (1,)


def test_a_hard_bounce_bars_the_address_and_a_complaint_the_person(post: Post) -> None:
    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))
    post.put(post.mail("arf_abuse.eml"))
    assert post.listen().new == 2
    reasons = {reason for (reason,) in post.stage.rows("SELECT reason FROM suppression")}
    assert reasons == {"bounced", "complained"}


def test_the_same_notice_twice_is_one(post: Post) -> None:
    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))
    post.put(post.mail("postfix_unknown.eml").replace(b"Message-Id: <", b"Message-Id: <again"))
    assert post.listen() == Listened(read=2, new=1, repeated=1)


def test_nothing_and_unclear_are_counted(post: Post) -> None:
    post.maildir()
    for name in ("vacation.eml", "reply.eml", "qmail.eml"):
        post.put(post.mail(name))
    assert post.listen() == Listened(read=3, new=1, unclear=1, nothing=2)
    assert post.stage.row("SELECT body IS NOT NULL FROM inbox WHERE provider = 'smtp'") == (1,)


def test_a_crash_after_storing_shows_the_mail_again_and_changes_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(mailboxes.Maildir, "done", dies)
        with pytest.raises(KeyboardInterrupt):
            post.listen()
    assert len(post.inbox()) == 1
    assert post.listen() == Listened(read=1, repeated=1)


@pytest.mark.guards("bounce_stored_first")
def test_a_crash_while_storing_leaves_the_mail_unread(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("omnicli.campaigns.hear.hear", dies)
        with pytest.raises(KeyboardInterrupt):
            post.listen()
    assert len(list((post.box / "new").iterdir())) == 1
    assert post.listen() == Listened(read=1, new=1)


def test_what_another_program_moved_without_its_being_seen_is_read_too(post: Post) -> None:
    post.maildir()
    post.put(post.mail("postfix_unknown.eml"), "cur", ":2,")
    post.put(post.mail("arf_abuse.eml"), "cur", ":2,S")
    post.put(post.mail("delivered.eml"), "cur", ":2,FT")
    assert post.listen() == Listened(read=1, new=1)
    assert post.listen() == Listened()
    post.put(post.mail("postfix_delayed.eml"), "cur", ":2,")
    assert post.listen().read == 1


def test_many_mails_are_read_a_hundred_at_a_time(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    post.maildir()
    for attempt in range(1, 8):
        post.put(post.mail("postfix_delayed.eml", attempt))
    assert post.listen().read == 7
    assert len(list((post.box / "cur").iterdir())) == 7


def test_links_and_folders_in_a_maildir_are_left_alone(post: Post, tmp_path: Path) -> None:
    post.maildir()
    (tmp_path / "secret").write_bytes(post.mail("postfix_unknown.eml"))
    (post.box / "new" / "1.link").symlink_to(tmp_path / "secret")
    (post.box / "new" / "2.folder").mkdir()
    (post.box / "new" / ".hidden").write_bytes(b"x")
    assert post.listen() == Listened()


def test_a_maildir_that_may_not_be_written_is_said_and_read_once(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))
    monkeypatch.setattr(mailboxes.os, "rename", refuses)
    found = post.listen()
    assert (found.read, found.new) == (1, 1)
    assert "Permission denied" in (found.problem or "")


# --- mbox -----------------------------------------------------------------------------------------------------------
def test_an_mbox_is_read_on_from_where_it_was_read_to(post: Post) -> None:
    post.append(post.mail("postfix_unknown.eml"))
    post.append(post.mail("qmail.eml"))
    assert post.listen() == Listened(read=2, new=2, unclear=1)
    assert post.listen() == Listened()
    post.append(post.mail("arf_abuse.eml"))
    assert post.listen() == Listened(read=1, new=1)
    assert not post.box.with_name("bounces.lock").exists()


def test_an_mbox_that_was_emptied_or_rewritten_is_read_from_its_beginning(post: Post) -> None:
    post.append(post.mail("postfix_unknown.eml"))
    post.listen()
    post.box.write_bytes(b"")
    assert post.listen() == Listened()
    post.append(post.mail("arf_abuse.eml"))
    assert post.listen() == Listened(read=1, new=1)
    post.box.write_bytes(b"From x Mon Jan  4 10:31:00 2027\nStatus: RO\n" + post.box.read_bytes().split(b"\n", 1)[1])
    assert post.listen() == Listened(read=1, repeated=1)


def test_a_long_mbox_is_read_in_pieces_and_each_mail_is_whole(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    for attempt in range(1, 6):
        post.append(post.mail("postfix_delayed.eml", attempt).replace(b"Bonjour.", b">From here on\n\nx"))
    assert post.listen() == Listened(read=5, new=5)


def test_an_mbox_that_somebody_holds_is_left_for_later(post: Post) -> None:
    post.append(post.mail("postfix_unknown.eml"))
    lock = post.box.with_name("bounces.lock")
    lock.touch()
    assert post.listen() == Listened()
    os.utime(lock, (0, 0))  # of a program that died long ago
    assert post.listen() == Listened(read=1, new=1)


HOLDS = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_an_mbox_that_is_being_written_is_left_for_later(post: Post) -> None:
    """Record locks are of a process: another one delivers."""
    post.append(post.mail("postfix_unknown.eml"))
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(post.box)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert post.listen() == Listened()
    assert post.listen() == Listened(read=1, new=1)


# --- who is believed --------------------------------------------------------------------------------------------------
@pytest.mark.guards("bounce_mark")
def test_a_forged_notice_is_kept_and_bars_nobody(post: Post) -> None:
    post.maildir()
    raw = (MAILS / "postfix_unknown.eml").read_bytes()
    post.put(raw.replace(b"{mark}", mark(b"x" * 32, post.touch, 1).encode()).replace(b"{touch}", b"0" * 32))
    assert post.listen() == Listened(read=1, new=1, unclear=1)
    assert post.stage.row("SELECT count(*) FROM suppression") == (0,)


@pytest.mark.guards("bounce_vouched")
@pytest.mark.parametrize(
    ("address", "attempt", "believed"),
    [("lea@example.org", 1, True), ("max@example.org", 1, False), ("lea@example.org", 2, False)],
)
def test_a_message_id_alone_is_believed_when_that_attempt_went_to_that_address(
    post: Post, address: str, attempt: int, believed: bool
) -> None:
    _attempted(post, "lea@example.org")
    post.maildir()
    post.put(
        post.mail("message_id_only.eml")
        .replace(b".2@maison", f".{attempt}@maison".encode())
        .replace(b"lea@example.org", address.encode())
    )
    assert post.listen() == Listened(read=1, new=1, unclear=0 if believed else 1)


def _attempted(post: Post, address: str) -> None:
    """What the outbox remembers of a call: the attempt and the fingerprint of whom it was to."""
    import sqlalchemy as sa

    from omnicli.store.consents import fingerprint

    pepper = keys.of_store(post.stage.store, "maison").pepper
    with post.stage.store.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO handover (id, provider, account, size, started_at, outcome) VALUES (1, 'smtp', 'a', 1, 0, 'accepted')"
            )
        )
        connection.execute(
            sa.text("INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, provider_ref, address_hash, body_sha256, started_at) "
                    "SELECT id, 1, 1, 0, 'accepted', 'x', :hash, :hash, 0 FROM touch"),
            {"hash": fingerprint(pepper, "email", address)},
        )  # fmt: skip


# --- when not ---------------------------------------------------------------------------------------------------------
def test_the_sandbox_never_uses_up_real_mails(post: Post) -> None:
    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))
    post.stage.store.live = False
    assert post.listen() == Listened()
    assert len(list((post.box / "new").iterdir())) == 1


def test_no_setting_is_nothing_and_a_missing_box_is_said(post: Post) -> None:
    assert str(post.box) in (post.listen().problem or "")
    project = post.stage.loaded.project.model_copy(update={"providers": {}})
    post.stage.loaded = replace(post.stage.loaded, project=project)
    assert post.listen() == Listened()


def test_a_busy_store_leaves_everything_unread(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnicli.errors import OmniError

    def busy(*_: Any, **__: Any) -> None:
        raise OmniError("busy", code="busy")

    post.maildir()
    post.put(post.mail("postfix_unknown.eml"))
    with monkeypatch.context() as broken:
        broken.setattr("omnicli.campaigns.hear.hear", busy)
        with pytest.raises(OmniError):
            post.listen()
    assert len(list((post.box / "new").iterdir())) == 1
