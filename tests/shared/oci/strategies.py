"""Hypothesis strategies for references, digests and manifests."""

from hypothesis import strategies as st

from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.platform import Platform

HEX = "0123456789abcdef"
ALNUM = "abcdefghijklmnopqrstuvwxyz0123456789"

digests = st.one_of(
    st.text(HEX, min_size=64, max_size=64).map(lambda text: Digest("sha256", text)),
    st.text(HEX, min_size=128, max_size=128).map(lambda text: Digest("sha512", text)),
)
words = st.text(ALNUM, min_size=1, max_size=8)
separators = st.sampled_from([".", "_", "__", "-", "--", "---"])
components = st.builds(
    lambda first, rest: first + "".join(mark + word for mark, word in rest),
    words,
    st.lists(st.tuples(separators, words), max_size=2),
)
repositories = st.lists(components, min_size=1, max_size=4).map("/".join)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
names = st.lists(words, min_size=2, max_size=3).map(".".join)
hosts = st.one_of(
    names,
    st.just("localhost"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
registries = st.one_of(hosts, st.builds("{}:{}".format, hosts, st.integers(1, 65535)))

platforms = st.builds(
    Platform,
    st.sampled_from(["linux", "windows", "unknown"]),
    st.sampled_from(["amd64", "arm64", "arm", "unknown"]),
    st.sampled_from(["", "v7", "v8"]),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
# Documents with a manifest's fields, each of which may hold anything.
manifest_like = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": st.sampled_from([1, 2, "2"]) | json_values,
        "mediaType": st.sampled_from(sorted(media_types.MANIFESTS)) | json_values,
        "config": json_values,
        "layers": st.lists(json_values, max_size=3) | json_values,
        "manifests": st.lists(json_values, max_size=3) | json_values,
    },
)
