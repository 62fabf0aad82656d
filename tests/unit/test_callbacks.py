"""Callback URLs: what a caller may name, judged by the text alone."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanflow.callbacks import MAX_CALLBACK_CHARACTERS, PUBLIC_ONLY, BadCallback, CallbackRule, is_loopback

GOOD = [
    "https://hooks.example.com/wanflow",
    "https://hooks.example.com:8443/a?token=b",
    "https://HOOKS.example.com",
    "https://xn--bcher-kva.example/",
    "https://8.8.8.8/hook",
    "https://[2606:4700:4700::1111]/hook",
    "https://example.com./",
]
BAD = {
    "http://hooks.example.com/": "must be a https URL",
    "ftp://hooks.example.com/": "must be a https URL",
    "hooks.example.com/wanflow": "has no host",
    "": "has no host",
    "https://": "has no host",
    "https:///path": "has no host",
    "https://user:secret@example.com/": "no user name and no password",
    "https://example.com:99999/": "no URL that can be read",
    "https://[::1/": "no URL that can be read",
    "https://exa mple.com/": "percent-encode",
    "https://example.com\\@127.0.0.1/": "percent-encode",
    "https://bücher.example/": "percent-encode",
    "https://example.com/\n": "percent-encode",
    "https://localhost/": "public host name",
    "https://intranet/": "public host name",
    "https://2130706433/": "public host name",
    "https://127.1/": "public host name",
    "https://0x7f.0.0.1/": "public host name",
    "https://-a.example.com/": "public host name",
    f"https://{'a' * 64}.example.com/": "public host name",
    f"https://{'a.' * 130}com/": "public host name",
    "https://127.0.0.1/": "public address",
    "https://10.0.0.1/": "public address",
    "https://192.168.1.1/": "public address",
    "https://169.254.169.254/latest/meta-data": "public address",
    "https://100.64.0.1/": "public address",
    "https://0.0.0.0/": "public address",
    "https://224.0.0.1/": "public address",
    "https://[::1]/": "public address",
    "https://[fd00:ec2::254]/": "public address",
    "https://[::ffff:10.0.0.1]/": "public address",
    "https://[fe80::1]/": "public address",
}


@pytest.mark.parametrize("url", GOOD)
def test_a_https_url_of_a_public_host_is_taken_as_it_is(url: str) -> None:
    assert PUBLIC_ONLY.check(url) == url


@pytest.mark.parametrize("url", BAD)
def test_anything_else_is_refused_with_its_rule(url: str) -> None:
    with pytest.raises(BadCallback, match=BAD[url]):
        PUBLIC_ONLY.check(url)


@pytest.mark.parametrize("value", [None, 7, True, ["https://example.com"], {}])
def test_only_a_string_is_a_url(value: object) -> None:
    with pytest.raises(BadCallback, match="must be a string"):
        PUBLIC_ONLY.check(value)


def test_the_length_is_limited() -> None:
    url = "https://example.com/".ljust(MAX_CALLBACK_CHARACTERS, "a")
    assert PUBLIC_ONLY.check(url) == url
    with pytest.raises(BadCallback, match="longer than 2048"):
        PUBLIC_ONLY.check(url + "a")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9000/", "http://localhost:9000/hook", "http://[::1]:9000/", "https://127.0.0.1:9000/"],
)
def test_loopback_is_for_the_local_stack_alone(url: str) -> None:
    assert CallbackRule(loopback=True).check(url) == url
    with pytest.raises(BadCallback):
        PUBLIC_ONLY.check(url)


@pytest.mark.parametrize("url", ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/"])
def test_the_local_stack_lets_http_go_nowhere_else(url: str) -> None:
    with pytest.raises(BadCallback):
        CallbackRule(loopback=True).check(url)


@pytest.mark.parametrize(
    ("url", "is_so"),
    [
        ("http://127.0.0.1:8787", True),
        ("http://localhost:8787", True),
        ("https://api.example.com", False),
        ("http://localhost.example.com", False),
    ],
)
def test_a_local_stack_is_told_by_its_wan_api(url: str, is_so: bool) -> None:
    assert is_loopback(url) is is_so


@given(st.one_of(st.text(), st.text().map("https://".__add__)))
def test_no_text_gets_through_but_a_https_url_or_breaks_the_rule(text: str) -> None:
    with suppress(BadCallback):
        assert PUBLIC_ONLY.check(text).lower().startswith("https://")
