"""Who is calling, and how a directory follows what changes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.accounts.directory import Directory
from prysm.accounts.keys import PREFIX, new_key
from prysm.core.caller import DEFAULT_ID, ROOT, Limits
from prysm.errors import ConfigError, InvalidApiKey, Overloaded
from prysm.store.directory import Changes, KnownBudget, KnownKey, KnownOrganisation, KnownSecret

KEY = "a-long-enough-secret"
PEPPER = bytes(32)
ORG = KnownOrganisation(DEFAULT_ID, prepaid=False, rpm=None, tpm=None, concurrency=None)
latin = st.text(alphabet=st.characters(max_codepoint=255), max_size=40)


@dataclass
class Scripted:
    """A source that says what a test puts in."""

    organisations: list[KnownOrganisation] = field(default_factory=lambda: [ORG])
    keys: list[KnownKey] = field(default_factory=list)
    budgets: list[KnownBudget] = field(default_factory=list)
    asked: list[datetime | None] = field(default_factory=list)
    away: bool = False

    async def changed(self, since: datetime | None) -> Changes:
        """What there is when it is asked, told a moment later."""
        self.asked.append(since)
        told = Changes(datetime.now(UTC), list(self.organisations), list(self.keys), list(self.budgets))
        await asyncio.sleep(0.01)
        if self.away:
            raise Overloaded("away")
        return told


def known(**different: object) -> tuple[KnownKey, str]:
    """A key and its text."""
    made = new_key(PEPPER)
    secret = KnownSecret(made.prefix, made.digest, None)
    key = KnownKey(
        id=uuid4(),
        org=DEFAULT_ID,
        project=DEFAULT_ID,
        name="a test's",
        role="member",
        scopes=None,
        allowed_models=None,
        allowed_strategies=None,
        rpm=None,
        tpm=None,
        concurrency=None,
        retention=None,
        cache=False,
        tags=(),
        expires=None,
        revoked=False,
        secrets=(secret,),
    )
    return replace(key, **different), made.text  # type: ignore[arg-type]  # any field


async def following(source: Scripted) -> Directory:
    directory = Directory(KEY)
    await directory.follow_with(source, PEPPER)
    return directory


@pytest.mark.parametrize("short", ["", "s3cret", "x" * 15])
def test_a_short_root_key_is_refused_without_being_shown(short: str) -> None:
    with pytest.raises(ConfigError, match="shorter than 16") as caught:
        Directory(short)
    assert not short or short not in str(caught.value)


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY} "])
def test_the_right_key_opens(header: str) -> None:
    assert Directory(KEY).authenticate(header) == ROOT


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        f"Token {KEY}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY} {KEY}",
        f"Bearer\t{KEY}",
        f"Bearer {KEY.upper()}",
    ],
)
def test_anything_else_does_not(header: str | None) -> None:
    with pytest.raises(InvalidApiKey, match=r"root\.key"):
        Directory(KEY).authenticate(header)


@given(latin)
def test_no_header_opens_by_luck_or_raises_anything_else(header: str) -> None:
    with pytest.raises(InvalidApiKey):
        Directory(KEY).authenticate(header)


async def test_no_key_is_in_what_a_directory_shows() -> None:
    key, text = known()
    directory = await following(Scripted(keys=[key]))
    for secret, caller in ((KEY, ROOT), (text, directory.authenticate(f"Bearer {text}"))):
        assert directory.authenticate(f"Bearer {secret}") == caller
        assert secret not in repr(directory) + repr(caller) + repr(key) + repr(directory._entries)
    with pytest.raises(InvalidApiKey) as caught:
        directory.authenticate("Bearer another-secret-key")
    assert "another-secret-key" not in str(caught.value)


async def test_a_caller_is_what_its_key_and_its_organisation_say() -> None:
    org = KnownOrganisation(uuid4(), prepaid=True, rpm=9, tpm=None, concurrency=None)
    key, text = known(org=org.id, scopes=("chat",), allowed_models=(), retention="zero", tpm=5, tags=("a=b",))
    directory = await following(Scripted([ORG, org], [key]))
    caller = directory.authenticate(f"Bearer {text}")
    assert (caller.key, caller.org, caller.role, caller.prepaid) == (key.id, org.id, "member", True)
    assert (caller.scopes, caller.allowed_models) == (frozenset({"chat"}), frozenset[str]())
    assert caller.allowed_strategies is None
    assert caller.limits == (Limits(key.id, None, 5, None), Limits(org.id, 9, None, None))
    assert (caller.retention_zero, caller.tags) == (True, ("a=b",))


async def test_the_root_key_keeps_the_limits_of_its_organisation() -> None:
    source = Scripted()
    directory = await following(source)
    source.organisations = [replace(ORG, rpm=3, prepaid=True)]
    await directory.refresh()
    caller = directory.authenticate(f"Bearer {KEY}")
    assert (caller.role, caller.limits, caller.prepaid) == ("root", (Limits(DEFAULT_ID, 3, None, None),), True)


async def test_a_key_that_is_revoked_or_changed_is_so_after_the_next_look() -> None:
    key, text = known()
    source = Scripted(keys=[key])
    directory = await following(source)
    source.keys = [replace(key, role="reader")]
    await directory.refresh()
    assert directory.authenticate(f"Bearer {text}").role == "reader"
    source.keys = [replace(key, revoked=True)]
    await directory.refresh()
    with pytest.raises(InvalidApiKey):
        directory.authenticate(f"Bearer {text}")
    assert directory._entries == {}


async def test_a_change_of_an_organisation_reaches_all_of_its_keys() -> None:
    key, text = known()
    source = Scripted(keys=[key])
    directory = await following(source)
    source.organisations, source.keys = [replace(ORG, concurrency=2)], []
    await directory.refresh()
    assert directory.authenticate(f"Bearer {text}").limits == (Limits(DEFAULT_ID, None, None, 2),)


@pytest.mark.parametrize("which", ["key", "secret"])
async def test_what_has_expired_is_refused_and_says_so(which: str) -> None:
    key, text = known()
    past = time.time() - 1
    if which == "key":
        key = replace(key, expires=past)
    else:
        key = replace(key, secrets=(replace(key.secrets[0], expires=past),))
    directory = await following(Scripted(keys=[key]))
    with pytest.raises(InvalidApiKey, match="expired"):
        directory.authenticate(f"Bearer {text}")


async def test_of_a_key_that_was_rotated_both_texts_are_known() -> None:
    (key, first), (other, second) = known(), known()
    directory = await following(Scripted(keys=[replace(key, secrets=key.secrets + other.secrets)]))
    assert {directory.authenticate(f"Bearer {text}").key for text in (first, second)} == {key.id}


async def test_only_a_well_formed_key_that_nobody_knows_may_be_new() -> None:
    key, text = known()
    directory = await following(Scripted(keys=[key]))
    unknown = new_key(PEPPER).text
    assert directory.may_be_new(f"Bearer {unknown}")
    for header in (None, f"Bearer {text}", f"Bearer {text[:-1]}x", f"Bearer {KEY}", f"Bearer {PREFIX}x", unknown):
        assert not directory.may_be_new(header)


async def test_however_many_unknown_keys_come_the_source_is_asked_ten_times_a_second() -> None:
    source = Scripted()
    directory = await following(source)
    began = time.monotonic()
    for _ in range(3):
        await asyncio.gather(*(directory.ask() for _ in range(100)))
    assert len(source.asked) == 4
    assert time.monotonic() - began > 0.2


async def test_who_asks_is_told_what_was_there_before_it_asked() -> None:
    source = Scripted()
    directory = await following(source)
    first = asyncio.create_task(directory.ask())
    await asyncio.sleep(0.005)  # the source has answered, and nobody has heard it yet
    key, text = known()
    source.keys = [key]
    await directory.ask()
    assert directory.authenticate(f"Bearer {text}").key == key.id
    await first


async def test_an_older_answer_never_undoes_a_newer_one() -> None:
    key, text = known()
    source = Scripted(keys=[key])
    directory = await following(source)
    old = asyncio.create_task(directory.refresh())
    await asyncio.sleep(0)
    source.keys = [replace(key, revoked=True)]
    await directory.refresh()
    await old
    with pytest.raises(InvalidApiKey):
        directory.authenticate(f"Bearer {text}")


async def test_while_the_source_is_away_what_was_known_holds_and_nobody_is_called_unknown() -> None:
    key, text = known()
    source = Scripted(keys=[key])
    directory = await following(source)
    source.away = True
    with pytest.raises(Overloaded):
        await directory.ask()
    await directory.renew()
    assert directory.authenticate(f"Bearer {text}").key == key.id


async def test_each_look_asks_for_what_came_since_the_last_that_was_answered() -> None:
    source = Scripted()
    directory = await following(source)
    source.away = True
    await directory.renew()
    await directory.renew()
    assert source.asked[0] is None
    assert source.asked[1] is not None
    assert source.asked[1] == source.asked[2]


def budget(subject: UUID | str | None, kind: str, *, hard: bool = True, org: UUID = DEFAULT_ID) -> KnownBudget:
    about: dict[str, UUID | str | None] = {"project": None, "key": None, "tag": None}
    if kind:
        about[kind] = subject
    return KnownBudget(id=uuid4(), org=org, hard=hard, deleted=False, **about)  # type: ignore[arg-type]  # by kind


async def test_a_run_is_counted_by_the_budgets_of_all_it_belongs_to() -> None:
    key, text = known()
    counted = [
        budget(None, ""),
        budget(DEFAULT_ID, "project"),
        budget(key.id, "key"),
        budget("a=b", "tag"),
    ]
    others = [budget(uuid4(), "key"), budget("c=d", "tag"), budget("a=b", "tag", org=uuid4())]
    source = Scripted(keys=[key], budgets=counted + others)
    directory = await following(source)
    caller = directory.authenticate(f"Bearer {text}")
    found = directory.budgets(caller, ("a=b", "a=b"))
    assert (set(found.budgets), len(found.budgets), found.hard) == ({one.id for one in counted}, 4, True)
    source.budgets = [replace(one, deleted=True) for one in counted] + others
    await directory.refresh()
    assert directory.budgets(caller, ("a=b",)).budgets == ()


async def test_soft_budgets_alone_refuse_nothing() -> None:
    directory = await following(Scripted(budgets=[budget(None, "", hard=False)]))
    assert not directory.budgets(ROOT, ()).hard
