"""The one canonicalisation: host, port, path and query, each with exactly one spelling.

Two readers of one URL may disagree: `%2e%2e`, `//`, a backslash, a full stop in another script. A
firewall that reads a request one way while the service reads it another way judges the wrong
request. So everything is brought to one form *before* anything is matched, that form is what is
forwarded, and what has no single form raises `RequestRejected`.

Sources: RFC 3986 section 6.2.2 (percent-encoding), RFC 9110 section 4.2 (http URIs), UTS #46.
"""

from __future__ import annotations

import enum
import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import idna

from tameflare_core.errors import RequestRejected

__all__ = [
    "MAX_PATH",
    "MAX_QUERY",
    "Ambiguity",
    "CanonicalPath",
    "canonical_authority",
    "canonical_host",
    "canonical_method",
    "canonical_path",
    "canonical_query",
]

MAX_PATH = 8 * 1024
"""Longest path, in bytes, as sent and in its canonical form."""

MAX_QUERY = 64 * 1024
"""Longest query, in bytes, as sent and in its canonical form."""

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"})

# The longest domain name is 253 characters; one more for its final dot.
_MAX_HOST = 254

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# What is spelled anew: percent-encodings, and characters that RFC 3986 wants encoded.
_RECODED_IN_PATH = re.compile(r"%..|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
# WHATWG clients leave brackets, braces, pipes and backslashes in a query as they are, and every
# service reads them there in the same way, so they stay.
_RECODED_IN_QUERY = re.compile(r"%..|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]{}|^`\\]")
_BROKEN_ENCODING = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NEVER_RAW = re.compile(r"[\x00-\x20\x7f#]")

# The common case needs no work at all: these match text that already is canonical.
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9\-_~!$&'()*+,:=@][A-Za-z0-9\-._~!$&'()*+,:=@]*)+")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]{}|^`\\]*")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,4}")
# Forms that some resolvers take for an IPv4 address: 0x7f.1, 017700000001, 2130706433, 127.1
_NUMERIC_LABEL = re.compile(r"0x[0-9a-f]*|[0-9]+")
_ENCODED_CONTROL = re.compile(r"%(?:[01].|7F)")


class Ambiguity(enum.Enum):
    """What services read in different ways, and a connector may vouch for."""

    EMPTY_SEGMENT = "an empty path segment"
    TRAILING_SLASH = "a slash at the end of the path"
    ENCODED_SLASH = "an encoded slash in a path segment"


class CanonicalPath(NamedTuple):
    """A path in its one form, with what only a connector can decide about it."""

    text: str
    ambiguities: frozenset[Ambiguity]


_NO_AMBIGUITY: frozenset[Ambiguity] = frozenset()


def canonical_method(method: str) -> str:
    """Return `method` when it is one of the known methods, in upper case.

    Raises:
        RequestRejected: it is not; `get` is another method than `GET` (RFC 9110 section 9.1).
    """
    if method not in METHODS:
        raise RequestRejected(f"unknown method `{_shown(method)}`")
    return method


def canonical_host(host: str) -> str:
    """Bring a host to lower-case A-labels, dotted-decimal IPv4 or bracketed, compressed IPv6.

    Args:
        host: the host of a URI, without user info and port.

    Raises:
        RequestRejected: user info, an empty label, an IPv6 zone, an address in a form that
            resolvers read differently (`0x7f.1`, `2130706433`), or a name that is no domain name.
    """
    # Before the cache, which would keep what it is given.
    if len(host) > _MAX_HOST:
        raise RequestRejected("host name too long")
    return _canonical_host(host)


@lru_cache(maxsize=4096)
def _canonical_host(host: str) -> str:
    if host.startswith("["):
        return _ipv6(host)
    if not host or any(ord(char) <= 0x20 or char in "@:/\\?#%[]\x7f" for char in host):
        raise RequestRejected(f"`{_shown(host)}` is not a host name")
    try:
        name = idna.encode(host, uts46=True, std3_rules=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        name = _lenient_name(host)
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if not all(labels) or len(name) > 253 or any(len(label) > 63 for label in labels):
        raise RequestRejected(f"`{_shown(host)}` is not a host name")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return _ipv4(name)
    return name


def canonical_authority(authority: str, *, scheme: str) -> tuple[str, int]:
    """Split `host[:port]` and bring both to their one form.

    Raises:
        RequestRejected: user info, a port that is not a decimal number from 1 to 65535.
    """
    # The message names nothing: what stands before an `@` is a password.
    if "@" in authority:
        raise RequestRejected("user info in the address")
    host, port = authority, ""
    if authority.startswith("["):
        end = authority.find("]")
        rest = authority[end + 1 :] if end > 0 else "?"
        if rest and not rest.startswith(":"):
            raise RequestRejected(f"`{_shown(authority)}` is not a host and port")
        host, port = authority[: end + 1], rest[1:]
        has_port = bool(rest)
    else:
        host, separator, port = authority.partition(":")
        has_port = bool(separator)
    if not has_port:
        return canonical_host(host), 443 if scheme == "https" else 80
    if not _DECIMAL.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise RequestRejected(f"`{_shown(port)}` is not a port")
    return canonical_host(host), int(port)


def canonical_path(path: str) -> CanonicalPath:
    """Bring a path to its one form.

    Percent-encoded unreserved characters are decoded once, hex digits upper-cased, and printable
    characters that RFC 3986 does not allow in a path are percent-encoded. Nothing is decoded twice.

    Args:
        path: the path of a request target as it stood on the wire, starting with `/`.

    Raises:
        RequestRejected: a dot segment (raw or encoded), a backslash, a control character or NUL
            (raw or encoded), a broken percent-encoding, bytes that are not UTF-8, or more than
            8 KiB.
    """
    if len(path) > MAX_PATH:
        raise RequestRejected(_PATH_TOO_LONG)
    if path == "/" or _PLAIN_PATH.fullmatch(path):
        return CanonicalPath(path, _NO_AMBIGUITY)
    if not path.startswith("/"):
        raise RequestRejected("path does not start with `/`")
    if "\\" in path:
        raise RequestRejected("backslash in path")
    text = _recode(path, _RECODED_IN_PATH, "path")
    if len(text) > MAX_PATH:
        raise RequestRejected(_PATH_TOO_LONG)
    ambiguities: set[Ambiguity] = set()
    *inner, last = text[1:].split("/")
    for segment in inner:
        _check_segment(segment, ambiguities)
    if last:
        _check_segment(last, ambiguities)
    elif inner:
        ambiguities.add(Ambiguity.TRAILING_SLASH)
    return CanonicalPath(text, frozenset(ambiguities))


def canonical_query(query: str) -> str:
    """Bring a query (without its `?`) to its one form; reserved characters stay as they are.

    Raises:
        RequestRejected: a raw space, control or non-ASCII character, `#`, a broken
            percent-encoding, or more than 64 KiB.
    """
    if len(query) > MAX_QUERY:
        raise RequestRejected(_QUERY_TOO_LONG)
    if _PLAIN_QUERY.fullmatch(query):
        return query
    text = _recode(query, _RECODED_IN_QUERY, "query")
    if len(text) > MAX_QUERY:
        raise RequestRejected(_QUERY_TOO_LONG)
    return text


_PATH_TOO_LONG = f"path longer than {MAX_PATH} bytes"
_QUERY_TOO_LONG = f"query longer than {MAX_QUERY} bytes"


def _recode(text: str, recoded: re.Pattern[str], where: str) -> str:
    if not text.isascii():
        raise RequestRejected(f"character outside ASCII in {where}")
    if _NEVER_RAW.search(text):
        raise RequestRejected(f"space, control character or `#` in {where}")
    if _BROKEN_ENCODING.search(text):
        raise RequestRejected(f"broken percent-encoding in {where}")
    return recoded.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) == 1:
        return f"%{ord(text):02X}"
    value = int(text[1:], 16)
    return chr(value) if value in _UNRESERVED else text.upper()


def _check_segment(segment: str, ambiguities: set[Ambiguity]) -> None:
    # Whoever decodes `%2F` may then see the dots beside it: `x%2F..%2Fy`.
    parts = segment.split("%2F")
    if len(parts) > 1:
        ambiguities.add(Ambiguity.ENCODED_SLASH)
    for part in parts:
        # `..;x` is a dot segment with a parameter to some servers (Tomcat), a plain name to others.
        if part.replace("%3B", ";").split(";", 1)[0] in {".", ".."}:
            raise RequestRejected("dot segment in path")
        if not part:
            ambiguities.add(Ambiguity.EMPTY_SEGMENT)
    if "%" not in segment:
        return
    if "%5C" in segment:
        raise RequestRejected("encoded backslash in path")
    if _ENCODED_CONTROL.search(segment):
        raise RequestRejected("encoded control character in path")
    try:
        # Overlong forms (%C0%AE) are how a dot was smuggled past earlier filters.
        decoded = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise RequestRejected("path is not UTF-8") from None
    if not decoded.isascii() and any(unicodedata.category(char) == "Cc" for char in decoded):
        raise RequestRejected("encoded control character in path")


def _ipv4(name: str) -> str:
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise RequestRejected(f"`{_shown(name)}` is not an IPv4 address") from None


def _ipv6(host: str) -> str:
    inner = host[1:-1]
    try:
        if not host.endswith("]") or "%" in inner:
            raise ValueError
        return f"[{ipaddress.IPv6Address(inner).compressed}]"
    except ValueError:
        raise RequestRejected(f"`{_shown(host)}` is not an IPv6 address") from None


# Names with `_` exist in DNS and are no IDNA labels; nothing in them can be read in two ways.
_LDH_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")


def _lenient_name(host: str) -> str:
    name = host.lower() if host.isascii() else ""
    # An ACE label that does not decode would be shown as one name and resolved as another.
    if not _LDH_NAME.fullmatch(name) or any(
        label.startswith("xn--") or label[2:4] == "--" for label in name.split(".")
    ):
        raise RequestRejected(f"`{_shown(host)}` is not a host name")
    return name


def _shown(text: str) -> str:
    return text[:80].encode("unicode_escape").decode("ascii").replace("`", "\\x60")
