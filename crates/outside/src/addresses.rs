//! Which addresses are inside: those of this machine, of its network, and of nobody. What is fetched from an address that
//! somebody configured must not come from there, or a provider's name could be made to lead to what only we can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address leads inside, also in the disguises that v6 has for v4.
pub(crate) fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inside_v4(address),
        IpAddr::V6(address) => is_inside_v6(address),
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second)) // shared by carriers
        || (first == 192 && second == 0 && third == 0) // protocol assignments
        || (first == 198 && (18..20).contains(&second)) // benchmarks
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let octets = address.octets();
    let v4 = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    match (first, second) {
        // Unspecified, loopback, mapped and compatible: none of them leads to a server elsewhere but the mapped.
        (0, 0) => address.to_ipv4_mapped().is_none_or(is_inside_v4),
        // Translated by everybody's prefix; other prefixes beside it are those of a network.
        (0x64, 0xff9b) => address.segments()[2..6] != [0; 4] || is_inside_v4(v4(12)),
        (0x2002, _) => is_inside_v4(v4(2)), // 6to4
        (0x2001, 0 | 0xdb8) => true,        // Teredo, documentation
        _ => (first & 0xe000) != 0x2000,    // all that is global unicast begins with 2 or 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_is_told_from_what_is_outside() {
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.9.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::8.8.8.8",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1:a00:0:100:808:808",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "100::1",
        ];
        for address in inside {
            assert!(is_inside(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
        {
            assert!(!is_inside(address.parse().unwrap()), "{address}");
        }
    }
}
