//! The addresses and networks from which requests are allowed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, or a network of addresses with the same first bits, such as `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Mask {
    first: IpAddr,
    bits: u32,
}

impl Mask {
    /// The expected form, for messages.
    pub const EXPECTED: &'static str = "an address or a network, such as 10.0.0.0/8 or fd00::/8";

    /// Parses an address, or a network: an address and the number of bits that its members
    /// share.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.trim(), Some(bits.trim().parse().ok()?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = width(address);
        let bits: u32 = bits.unwrap_or(all);
        if bits > all {
            return None;
        }
        // An IPv4 address in IPv6 form becomes the IPv4 address, because requests are
        // compared by the IPv4 address.
        let (address, bits) = match address.to_canonical() {
            same if same == address => (address, bits),
            mapped => (mapped, bits.checked_sub(96)?),
        };
        let first = network(address, bits);
        Some(Mask { first, bits })
    }

    /// Whether the address belongs to the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.first) && network(address, self.bits) == self.first
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits == width(self.first) {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}/{}", self.first, self.bits),
        }
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

/// The address with all bits after the first `bits` cleared.
pub fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - bits).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - bits).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(mask: &str, address: &str) -> bool {
        Mask::parse(mask)
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn a_mask_is_an_address_or_a_network() {
        assert!(has("127.0.0.1", "127.0.0.1") && !has("127.0.0.1", "127.0.0.2"));
        assert!(has("10.1.2.3/8", "10.9.9.9") && !has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "::1"));
        assert!(has("fd00::/8", "fd12::1") && !has("fd00::/8", "fe80::1"));
        assert!(has("::/0", "fe80::1") && has("::1", "::1"));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_form_is_the_ipv4_address() {
        assert!(has("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(has("::ffff:10.0.0.0/104", "10.1.1.1"));
        assert!(!has("::ffff:10.0.0.0/104", "11.1.1.1"));
        assert_eq!(Mask::parse("::ffff:10.0.0.0/90"), None);
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "a/8",
            "10.0.0.0/-1",
        ] {
            assert_eq!(Mask::parse(bad), None, "{bad}");
        }
    }
}
