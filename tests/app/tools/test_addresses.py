"""Which addresses are public, and which are read in one way alone."""

import pytest

from dragoman.app.tools.addresses import is_public, read_target


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.5", "224.0.0.1", "239.255.255.250"),
        *("240.0.0.1", "255.255.255.255", "192.88.99.1", "168.63.129.16"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1"),
        *("2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fec0::1", "ff02::1", "100::1", "5f00::1", "2001:4860:4860::8888%1", "", "localhost", "1", "127.1"),
    ],
)
def test_these_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2001:4860:4860::8888"])
def test_these_are(address: str) -> None:
    assert is_public(address)


def test_an_address_is_taken_apart() -> None:
    found = read_target("https://docs.example.org:8443/a/b%20c?x=1&y=@#end")
    assert found is not None
    assert (found.scheme, found.host, found.port, found.path) == (
        "https",
        "docs.example.org",
        8443,
        "/a/b%20c?x=1&y=@",
    )
    assert found.address == "https://docs.example.org:8443/a/b%20c?x=1&y=@"
    bare = read_target("http://example.org")
    assert bare is not None and (bare.port, bare.path, bare.place) == (80, "/", "example.org")


@pytest.mark.parametrize(
    "address",
    [
        *("", "example.org", "ftp://example.org/", "file:///etc/hosts", "//example.org/", "http:/example.org"),
        *("http://user@example.org/", "http://good.org:80\\@bad.org/", "http://exa mple.org/", "http://example.org/\n"),
        *("HTTP://example.org/", "http://Example.org/", "http://example.org./", "http://-a.org/", "http://a..org/"),
        *("http://example.org:0/", "http://example.org:65536/", "http://example.org:/", "http://[::1]/"),
        *("http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://a.0x7f/", "http://0177.0.0.1/"),
        *("http://\N{CIRCLED DIGIT ONE}27.0.0.1/", "http://b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.de/"),
        *("http://example.org/\x00", "http://example.org/a b", "http://" + "a." * 200 + "org/", "http://" + "a" * 3000),
    ],
)
def test_these_are_none(address: str) -> None:
    assert read_target(address) is None
