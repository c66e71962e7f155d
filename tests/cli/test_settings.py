"""Which source wins, what a key is given to, and how a mistake in a source is named."""

from __future__ import annotations

import json
import os
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.cli.app import batcher
from batcher.cli.settings.durations import about_text, duration_option, duration_text, parse_duration, parse_seconds
from batcher.cli.settings.given import Given, masked
from batcher.cli.settings.options import SETTINGS
from batcher.cli.settings.target import Target, target_of
from batcher.config import Endpoint
from batcher.errors import UsageError
from batcher.transport.base_url import is_known, normalise, of_instance
from tests.support.command import start

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
KEY = "omni_osk_0123456789abcdefWXYZ"
ACME = "https://acme.omniapp.co"


class Sources(NamedTuple):
    """What one command line was given, and the target that follows from it."""

    given: Given
    target: Target

    def endpoint(self, *, needed: bool = True) -> Endpoint:
        """As a run asks for it."""
        return self.target.endpoint(is_needed=needed)


def sources(
    directory: Path,
    flags: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
    config: Path | None = None,
    *,
    sandbox: bool = False,
) -> Sources:
    """A run in a directory whose home is empty."""
    words = [word for name, value in (flags or {}).items() for word in (f"--{name}", value)]
    words += ["--config", str(config)] if config else []
    words += ["--sandbox"] if sandbox else []
    with chdir(directory), patch.dict(os.environ, {"HOME": str(directory / "home")} | (environ or {}), clear=True):
        given = Given(batcher.commands["run"].make_context("run", ["d.csv", *words]))
        vars(given)["target"] = target_of(given, NOW)  # where a `cached_property` keeps it
        return Sources(given, given.target)


def with_profiles(directory: Path, **profiles: dict[str, object]) -> dict[str, str]:
    """An environment with a file of Omni CLI profiles; the first is the default."""
    path = directory / "omni.json"
    path.write_text(json.dumps({"version": 1, "defaultProfile": next(iter(profiles)), "profiles": profiles}))
    return {"OMNI_CONFIG_PATH": str(path)}


@pytest.mark.parametrize(
    "pasted",
    [
        "acme.omniapp.co",
        "https://acme.omniapp.co",
        "https://acme.omniapp.co/",
        " https://ACME.omniapp.co/api ",
        "acme.omniapp.co/api/v1/",
        "https://acme.omniapp.co:443/api/v1",
        "https://acme.omniapp.co.",
    ],
)
def test_base_urls_as_people_paste_them(pasted: str) -> None:
    """All of these are one instance."""
    assert normalise(pasted, "--base-url") == ACME


@pytest.mark.parametrize(
    ("pasted", "normal"),
    [
        ("localhost:8765", "http://localhost:8765"),
        ("http://127.0.0.1:80/api", "http://127.0.0.1"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("https://bi.example.com:8443", "https://bi.example.com:8443"),
    ],
)
def test_loopback_and_ports(pasted: str, normal: str) -> None:
    """Loopback may do without encryption; other ports are kept."""
    assert normalise(pasted, "--base-url") == normal


@pytest.mark.parametrize(
    ("pasted", "message"),
    [
        ("http://acme.omniapp.co", "isn't encrypted"),
        ("http://127.0.0.1.evil.example", "isn't encrypted"),
        ("https://acme.omniapp.co/dashboards/1", "has more after the host; write only https://acme.omniapp.co"),
        ("https://acme.omniapp.co?x=1", "has more after the host"),
        ("https://me:pw@acme.omniapp.co", "hold a user name"),
        ("ftp://acme.omniapp.co", "a web address"),
        ("https://", "has no host"),
        ("", "has no host"),
        ("https://a b.example", "has no host"),
        ("https://acme.omniapp.co:99999", "port"),
        ("https://[::1", "a web address"),
    ],
)
def test_base_urls_that_are_refused(pasted: str, message: str) -> None:
    """The message names the source and what to write."""
    with pytest.raises(UsageError, match=f"^--base-url: .*{message.replace('?', '.')}") as caught:
        normalise(pasted, "--base-url")
    assert "pw" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_base_url_or_a_usage_error(text: str) -> None:
    """No paste, however odd, ends in a traceback; what is accepted stays as it is when pasted again."""
    try:
        normal = normalise(text, "--base-url")
    except UsageError:
        return
    assert normalise(normal, "--base-url") == normal
    assert normal.startswith("https://") or is_known(normal)


def test_instances_and_known_hosts() -> None:
    """NAME is one label; known hosts end in the vendor's domains, not merely contain them."""
    assert of_instance(" Acme ", "--instance") == ACME
    with pytest.raises(UsageError, match="instance name"):
        of_instance("acme.omniapp.co", "--instance")
    assert is_known(ACME)
    assert is_known("https://x.exploreomni.dev")
    assert not is_known("https://omniapp.co.evil.example")
    assert not is_known("https://evilomniapp.co")


@pytest.mark.parametrize(
    ("environ", "file", "expected"),
    [
        ({}, "", (True, False)),
        ({}, "preflight = false\nskip-invalid = true\n", (False, True)),
        (
            {"BATCHER_PREFLIGHT": "on", "BATCHER_SKIP_INVALID": "0"},
            "preflight = false\nskip-invalid = true\n",
            (True, False),
        ),
        ({"BATCHER_PREFLIGHT": "no", "BATCHER_SKIP_INVALID": ""}, "", (False, False)),
    ],
)
def test_switches_from_every_source(
    tmp_path: Path, environ: dict[str, str], file: str, expected: tuple[bool, bool]
) -> None:
    """`--no-preflight` is the setting `preflight`, which a higher source can also switch on again."""
    (tmp_path / "batcher.toml").write_text(file)
    settings = sources(tmp_path, {"instance": "acme"}, environ).given.run_settings
    with chdir(tmp_path):
        (tmp_path / "d.csv").touch()
        assert (settings().preflight, settings().skip_invalid) == expected


def test_each_source_outranks_the_next(tmp_path: Path) -> None:
    """Flags > environment > --config > a file found above > the default; each is named as the origin."""
    (tmp_path / "batcher.toml").write_text('rate = "1/s"\nconcurrency = 1\ntimeout = 11\nstop-after = 1\n')
    named = tmp_path / "ci.toml"
    named.write_text('rate = "2/s"\nconcurrency = 2\ntimeout = "22s"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = sources(below, {"rate": "4/s"}, {"BATCHER_RATE": "3/s", "BATCHER_CONCURRENCY": "3"}, named)
    sending = found.given.sending()
    assert str(sending.rate) == "4/s"
    assert (sending.concurrency, sending.timeout_seconds, sending.stop_after, sending.max_attempts) == (3, 22.0, 1, 5)
    assert [
        found.given.origin(name) for name in ("rate", "concurrency", "timeout_seconds", "stop_after", "max_attempts")
    ] == [
        "--rate",
        "BATCHER_CONCURRENCY",
        f"--config {named}",
        f"{tmp_path / 'batcher.toml'} (found)",
        "default",
    ]


def test_no_rate_is_a_value_too(tmp_path: Path) -> None:
    """`none` on the command line is not mistaken for a rate that was not given."""
    assert sources(tmp_path, {"rate": "none"}, {"BATCHER_RATE": "3/s"}).given.sending().rate is None
    assert str(sources(tmp_path).given.sending().rate) == "60/min"


def test_pyproject_counts_only_with_its_table(tmp_path: Path) -> None:
    """A pyproject.toml without [tool.batcher], or that is not TOML and does not speak of batcher, is passed over."""
    (tmp_path / "pyproject.toml").write_text('[tool.batcher]\nfill_identifiers = false\nbase-url = "acme.omniapp.co"\n')
    below = tmp_path / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text("[project]\nname = 'x'\n[broken\n")
    assert not sources(below).given.sending().fill_identifiers
    assert sources(below).endpoint().base_url == ACME


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concurency = 4", "unknown setting concurency; did you mean concurrency?"),
        ("concurrency = 0", "concurrency: '0' isn't allowed; use a whole number from 1 to 4,096"),
        ("concurrency = true", "concurrency: 'true' isn't allowed"),
        ("give-up-after = 15", "give-up-after: '15' isn't a duration; write a number with its unit, as in 90s"),
        ('give-up-after = "15"', "isn't a duration"),
        ('rate = "fast"', "rate: 'fast' is not a rate"),
        ("rate = 60", "'60' is not a rate"),
        ("no-preflight = true", "write preflight = false"),
        ('preflight = "maybe"', "preflight: 'maybe' is not a valid boolean"),
        ("resend-uncertain = true", "meant for one run; give it on the command line as --resend-uncertain"),
        ('results = "x.jsonl"', "meant for one run"),
        ("sheet = [1]", "one text, number, true or false"),
        ("fsync-ms = 1\nfsync_ms = 2", "given twice"),
        ("rate = ", "not valid TOML"),
        ('base-url = "http://acme.omniapp.co"', "isn't encrypted"),
        ('base-url = "a.omniapp.co"\ninstance = "b"', "both name the instance"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    """File, setting, value, and what is allowed."""
    (tmp_path / "batcher.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        sources(tmp_path).endpoint()
    assert "batcher.toml" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["api-key", "key", "OMNI_API_KEY", "token", "api_keys"])
def test_keys_in_files_are_refused_and_never_shown(tmp_path: Path, name: str) -> None:
    """The message says where keys belong."""
    (tmp_path / "batcher.toml").write_text(f'{name} = "{KEY}"')
    with pytest.raises(UsageError, match="set OMNI_API_KEY in the environment") as caught:
        sources(tmp_path)
    assert KEY not in str(caught.value)


def test_config_must_exist_and_hold_settings(tmp_path: Path) -> None:
    """--config names its file in every complaint."""
    with pytest.raises(UsageError, match=r"--config .*ci\.toml: can't be read: No such file"):
        sources(tmp_path, config=tmp_path / "ci.toml")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(UsageError, match=r"no \[tool.batcher\] table"):
        sources(tmp_path, config=tmp_path / "pyproject.toml")


def test_a_found_file_may_not_choose_any_host(tmp_path: Path) -> None:
    """A foreign host must be named by flag, environment or --config: else a cloned repository could collect keys."""
    file = tmp_path / "batcher.toml"
    file.write_text('base-url = "https://bi.example.com"')
    with pytest.raises(UsageError, match="can't send keys there"):
        sources(tmp_path, environ={"OMNI_API_KEY": KEY}).endpoint()
    assert sources(tmp_path, config=file).endpoint().base_url == "https://bi.example.com"
    assert (
        sources(tmp_path, environ={"OMNI_BASE_URL": "bi.example.com"}).endpoint().base_url == "https://bi.example.com"
    )
    assert sources(tmp_path, {"instance": "acme"}).endpoint().base_url == ACME


@pytest.mark.parametrize(
    ("environ", "keys"),
    [
        ({"OMNI_API_KEYS": " a1 ,b2,, a1 ", "OMNI_API_KEY": "c3"}, ["a1", "b2"]),
        ({"OMNI_API_KEYS": " ", "OMNI_API_KEY": "c3", "OMNI_API_TOKEN": "d4"}, ["c3"]),
        ({"OMNI_API_TOKEN": "d4\n"}, ["d4"]),
        ({}, []),
    ],
)
def test_keys_from_the_environment(tmp_path: Path, environ: dict[str, str], keys: list[str]) -> None:
    """Several keys, else one, else the CLI's token; each once, for a key named twice has only one rate."""
    endpoint = sources(tmp_path, {"instance": "acme"}, environ).endpoint()
    assert [key.secret for key in endpoint.keys] == keys
    assert [key.number for key in endpoint.keys] == list(range(1, len(keys) + 1))
    assert keys or "OMNI_API_KEY" in endpoint.no_key_hint


@pytest.mark.parametrize("text", ["Bearer abc", '"abc"', "ab\ncd", "schlüssel"])
def test_what_cannot_be_a_key_is_not_shown(tmp_path: Path, text: str) -> None:
    """The message names the variable and not its value."""
    with pytest.raises(UsageError, match="OMNI_API_KEY contains a space, quote, or other") as caught:
        sources(tmp_path, {"instance": "acme"}, {"OMNI_API_KEY": text}).endpoint()
    assert text not in str(caught.value)


def test_a_profiles_key_goes_to_its_own_endpoint_only(tmp_path: Path) -> None:
    """Not to another base URL, whichever source names that."""
    environ = with_profiles(tmp_path, prod={"apiEndpoint": f"{ACME}/api", "authMethod": "api-key", "apiKey": KEY})
    assert [key.secret for key in sources(tmp_path, environ=environ).endpoint().keys] == [KEY]
    assert sources(tmp_path, {"instance": "acme"}, environ).endpoint().keys
    other = sources(tmp_path, {"instance": "other"}, environ).endpoint()
    assert (other.base_url, other.keys) == ("https://other.omniapp.co", ())
    with pytest.raises(UsageError, match="its key is never sent anywhere else"):
        sources(tmp_path, {"instance": "other", "profile": "prod"}, environ).endpoint()


def test_a_named_profile_outranks_the_environment(tmp_path: Path) -> None:
    """--profile brings its endpoint and its key; without it the environment wins."""
    dev: dict[str, object] = {"apiEndpoint": "dev.omniapp.co", "authMethod": "api-key", "apiKey": "dev-key"}
    environ = with_profiles(tmp_path, dev=dev) | {"OMNI_API_KEY": "env-key", "OMNI_BASE_URL": ACME}
    named = sources(tmp_path, {"profile": "dev"}, environ).endpoint()
    assert (named.base_url, [key.secret for key in named.keys]) == ("https://dev.omniapp.co", ["dev-key"])
    plain = sources(tmp_path, {}, environ).endpoint()
    assert (plain.base_url, [key.secret for key in plain.keys]) == (ACME, ["env-key"])


def test_profiles_that_are_missing_or_broken(tmp_path: Path) -> None:
    """They matter only to those who name one."""
    environ = with_profiles(tmp_path, prod={"apiEndpoint": ACME, "authMethod": "api-key"})
    with pytest.raises(UsageError, match="no such profile; it has prod"):
        sources(tmp_path, {"profile": "prd"}, environ)
    assert "has no API key" in sources(tmp_path, {"profile": "prod"}, environ).endpoint().no_key_hint
    (tmp_path / "omni.json").write_text("{not json")
    with pytest.raises(UsageError, match="can't be read as the Omni CLI's profiles"):
        sources(tmp_path, {"profile": "prod"}, environ)
    assert sources(tmp_path, {"instance": "acme"}, environ).endpoint().keys == ()
    with pytest.raises(UsageError, match="does not exist"):
        sources(tmp_path, {"profile": "prod"})


@pytest.mark.parametrize(
    ("expires", "message"),
    [
        ("2026-07-01T09:29:59Z", "expired at 2026-07-01 09:29 UTC; sign in again"),
        (int(NOW.timestamp()) - 1, "expired at"),
        ((int(NOW.timestamp()) - 1) * 1000, "expired at"),
        ("2026-07-01T10:00:00Z", ""),
        ((int(NOW.timestamp()) + 60) * 1000, ""),
    ],
)
def test_oauth_profiles(tmp_path: Path, expires: object, message: str) -> None:
    """A token that has expired is not used and the hint says so; one that will is used with a warning."""
    entry: dict[str, object] = {
        "apiEndpoint": ACME,
        "authMethod": "oauth",
        "accessToken": KEY,
        "tokenExpiresAt": expires,
    }
    found = sources(tmp_path, {"profile": "me"}, with_profiles(tmp_path, me=entry))
    endpoint = found.endpoint()
    if message:
        assert message in endpoint.no_key_hint
        assert not endpoint.keys
    else:
        assert [key.secret for key in endpoint.keys] == [KEY]
        assert "signs in with OAuth and expires at 2026-07-01" in found.target.notes[0]


def test_the_sandbox_sees_no_key(tmp_path: Path) -> None:
    """Whatever the environment holds, a rehearsal gets a key of its own and no instance."""
    environ = with_profiles(tmp_path, p={"apiEndpoint": ACME, "apiKey": KEY}) | {
        "OMNI_API_KEY": KEY,
        "OMNI_BASE_URL": ACME,
    }
    endpoint = sources(tmp_path, environ=environ, sandbox=True).endpoint()
    assert (endpoint.base_url, endpoint.sandbox) == ("sandbox", True)
    assert [key.secret for key in endpoint.keys] == ["sandbox"]


def test_no_base_url_says_every_way_to_give_one(tmp_path: Path) -> None:
    """And where none is needed, none is asked for."""
    with pytest.raises(UsageError, match=r"--base-url .* --instance .* OMNI_BASE_URL.* --sandbox"):
        sources(tmp_path).endpoint()
    assert sources(tmp_path).endpoint(needed=False).base_url == ""


def test_the_listing_masks_keys_and_names_origins(tmp_path: Path) -> None:
    """Each lasting setting once; a key's last four characters at most."""
    found = sources(tmp_path, {"instance": "acme"}, {"OMNI_API_KEYS": f"{KEY},short"})
    listing = {name: (value, origin) for name, value, origin in found.given.listing()}
    assert listing["base-url"] == (ACME, "--instance")
    assert listing["api-keys"] == ("…WXYZ, …", "OMNI_API_KEYS")
    assert listing["give-up-after"] == ("15m", "default")
    assert set(listing) == {*SETTINGS, "api-keys"} - {"instance"}
    assert KEY not in repr(found.target)


@given(st.text(min_size=1, max_size=60))
def test_masking_never_shows_more_than_a_fifth(secret: str) -> None:
    """At most four characters, and not even those of a short key."""
    shown = masked(secret).removeprefix("…")
    assert len(shown) * 5 <= max(len(secret), 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("4h", 14400), ("1h30m", 5400), ("1h 30min", 5400), ("500ms", 0.5), ("2d", 172800)],
)
def test_durations(text: str, seconds: float) -> None:
    """A number with its unit, also several."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "-3s", "3x", "0s", "1h30", "99999d", "nan", "1e3s", "inf"])
def test_what_is_not_a_duration(text: str) -> None:
    """A number alone is not one: nobody can tell its unit."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_seconds_may_stand_alone() -> None:
    """--timeout SECONDS takes both forms."""
    assert (parse_seconds("60"), parse_seconds("2.5"), parse_seconds("90s")) == (60, 2.5, 90)
    with pytest.raises(ValueError, match="duration"):
        parse_seconds("nan")


@given(st.integers(1, 300 * 86400))
def test_a_shown_duration_can_be_given_again(seconds: int) -> None:
    """What `batcher config` prints is what an option takes; the readable form has at most two units."""
    assert parse_duration(duration_option(seconds)) == seconds
    assert 2 <= len(duration_text(seconds).split()) <= 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "less than 1 s"),
        (36, "about 36 s"),
        (120, "about 2 min"),
        (2999, "about 50 min"),
        (12_000, "about 3.3 h"),
        (7_200, "about 2 h"),
        (100_000, "about 28 h"),
        (300_000, "about 3 days"),
    ],
)
def test_estimates_are_of_a_persons_scale(seconds: float, text: str) -> None:
    """Nobody plans by the second."""
    assert about_text(seconds) == text


def test_the_version_of_the_api_is_a_setting(tmp_path: Path) -> None:
    """By flag, environment or file; anything but v1 and v2 is refused where it stands."""

    def said(*flags: str, **variables: str) -> list[str]:
        done = start(tmp_path, "config", "--json", *flags, **variables)
        value = json.loads(done.stdout).get("settings", {}).get("api", {})
        return [str(value.get("value")), str(value.get("source")), done.stderr]

    assert said()[:2] == ["v1", "default"]
    assert said(BATCHER_API="V2")[:2] == ["v2", "BATCHER_API"]
    (tmp_path / "batcher.toml").write_text('api = "v2"\n')
    assert said()[0] == "v2"
    assert said("--api", "v1", BATCHER_API="v2")[:2] == ["v1", "--api"]
    (tmp_path / "batcher.toml").write_text("api = 3\n")
    assert "batcher.toml: api: '3' isn't allowed; use v1 or v2" in said()[2]
