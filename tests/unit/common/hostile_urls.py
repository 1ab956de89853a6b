# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""URLs with which a tenant might reach into the operator's network (S7).

``{port}`` stands for a port on which a test listens on 127.0.0.1.
"""

#: Refused as they stand, without asking a resolver.
REFUSED = (
    # Spellings of loopback that getaddrinfo takes for it.
    "https://127.0.0.1:{port}/", "https://0x7f000001:{port}/",
    "https://2130706433:{port}/", "https://017700000001:{port}/",
    "https://127.1:{port}/", "https://127.0.1:{port}/",
    "https://0177.0.0.1:{port}/", "https://0x7f.0.0.1:{port}/",
    "https://127.0.0.1.:{port}/", "https://0:{port}/",
    "https://0.0.0.0:{port}/", "https://localhost:{port}/",
    "https://LOCALHOST.:{port}/", "https://a.localhost:{port}/",
    "https://[::1]:{port}/", "https://[::]:{port}/",
    "https://[0:0:0:0:0:0:0:1]:{port}/",
    # IPv4 within IPv6.
    "https://[::ffff:127.0.0.1]:{port}/", "https://[::ffff:7f00:1]:{port}/",
    "https://[::127.0.0.1]:{port}/", "https://[::ffff:0:127.0.0.1]:{port}/",
    "https://[64:ff9b::7f00:1]:{port}/",
    "https://[64:ff9b:1::7f00:1]:{port}/",
    "https://[2002:7f00:1::]:{port}/", "https://[2002:a00:1::1]:{port}/",
    "https://[2001:0:7f00:1::]:{port}/",
    "https://[::ffff:169.254.169.254]:{port}/",
    # Addresses of the operator's networks, and special ones.
    "https://10.0.0.1:{port}/", "https://172.16.0.1:{port}/",
    "https://192.168.1.1:{port}/", "https://169.254.169.254:{port}/",
    "https://100.64.0.1:{port}/", "https://192.0.0.8:{port}/",
    "https://192.0.2.1:{port}/", "https://198.18.0.1:{port}/",
    "https://198.51.100.1:{port}/", "https://203.0.113.1:{port}/",
    "https://192.88.99.1:{port}/", "https://224.0.0.1:{port}/",
    "https://239.255.255.250:{port}/", "https://240.0.0.1:{port}/",
    "https://255.255.255.255:{port}/",
    "https://[fe80::1]:{port}/", "https://[fe80::1%25lo]:{port}/",
    "https://[fc00::1]:{port}/", "https://[fd12:3456::1]:{port}/",
    "https://[fec0::1]:{port}/", "https://[ff02::1]:{port}/",
    "https://[2001:db8::1]:{port}/", "https://[3fff::1]:{port}/",
    "https://[100::1]:{port}/", "https://[5f00::1]:{port}/",
    # Other schemes, ports and parts.
    "http://example.org:{port}/", "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/", "ftp://example.org:{port}/",
    "//127.0.0.1:{port}/", "127.0.0.1:{port}", "https:127.0.0.1:{port}",
    "https:///127.0.0.1:{port}", "https://example.org:22/",
    "https://example.org:9200/", "https://example.org:99999/",
    "https://example.org:0/", "https://example.org:x/",
    "https://user@example.org:{port}/",
    "https://user:pass@127.0.0.1:{port}/",
    "https://example.org:{port}@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}#@example.org/",
    "https://127.0.0.1:{port}\\@example.org/",
    "https://example.org\\.127.0.0.1:{port}/",
    # What would end a line, or is dropped by some parsers.
    "https://127.0.0.1:{port}/\r\nHost: x", "https://127.0.0\t.1:{port}/",
    "https://127.0.0.1%00.example.org:{port}/", "\nhttps://127.0.0.1:{port}/",
    " https://127.0.0.1:{port}/", "https://127.0.0.1:{port}/ x",
    "https://127.0.0.1\x00.example.org:{port}/",
    # Digits that Unicode makes plain, and names that are none.
    "https://\u2460\u2461\u2466.0.0.1:{port}/",
    "https://127\u30020\u30020\u30021:{port}/",
    "https://-a.example.org:{port}/", "https://a..example.org:{port}/",
    "https://:{port}/", "https://{port}/", "https://", "https://[::1:{port}/",
    "https://[]:{port}/", "", "https://example.org/" + "a" * 2048,
)

#: Addresses that a name may have and no webhook may reach.
FORBIDDEN_ADDRESSES = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.31.255.255",
    "192.168.0.1", "169.254.169.254", "100.127.255.255", "192.0.0.8",
    "192.0.0.170", "192.0.2.9", "198.19.0.1", "198.51.100.7",
    "203.0.113.9", "192.88.99.2", "224.0.0.251", "233.252.0.1",
    "239.1.1.1", "240.1.1.1", "255.255.255.255", "::", "::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1",
    "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:c0a8:101::1", "2001:0:4136:e378::1",
    "2001:db8::1", "2001:10::1", "2001:20::1", "3fff:fff::1", "100::1",
    "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fdff::1", "ff02::1",
    "ff0e::1", "5f00::1", "4000::1", "not an address", "",
)
