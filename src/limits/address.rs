//! Whose request it is, and by what clients are told apart.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The part of an IPv6 address that stands for a customer: the rest they choose themselves.
const CUSTOMER: u128 = !0 << 64;

/// A client's address; one of IPv4 is never written as one of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The client at this address.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// What clients are counted by.
    pub(super) fn key(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & CUSTOMER).into(),
        }
    }

    pub(super) fn is_in(self, networks: &[IpNet]) -> bool {
        networks.iter().any(|network| network.contains(&self.0))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// See [`super::Limits::client`]. Whatever stands left of what cannot be read was said by nobody who is trusted.
pub(super) fn client<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    real: Option<&[u8]>,
    trusted: &[IpNet],
) -> ClientAddress {
    let mut client = ClientAddress::new(peer);
    let mut forwarded = forwarded.peekable();
    if forwarded.peek().is_none() {
        let real = real.filter(|_| client.is_in(trusted));
        let real = real.and_then(|text| parse(str::from_utf8(text).ok()?));
        return real.unwrap_or(client);
    }
    // As bytes: what is no text must not hide what a proxy has written behind it.
    let hops = forwarded.flat_map(|header| header.split(|byte| *byte == b','));
    let mut hops = hops.rev().map(|hop| str::from_utf8(hop).ok());
    while client.is_in(trusted) {
        match hops.next().flatten().and_then(parse) {
            Some(before) => client = before,
            None => break,
        }
    }
    client
}

/// An address, perhaps with a port.
fn parse(hop: &str) -> Option<ClientAddress> {
    let hop = hop.trim();
    let address = hop.parse().ok();
    let address = address.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(ClientAddress::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&str]) -> String {
        found_with(peer, forwarded, None)
    }

    fn found_with(peer: &str, forwarded: &[&str], real: Option<&str>) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/16"].map(|network| network.parse().unwrap());
        client(
            peer.parse().unwrap(),
            forwarded.iter().map(|header| header.as_bytes()),
            real.map(str::as_bytes),
            &trusted,
        )
        .to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            // What the client itself has said stands on the left.
            (
                "10.0.0.1",
                &["10.9.9.9, 203.0.113.9, 198.51.100.7"],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &["203.0.113.9", "198.51.100.7, 10.0.0.2"],
                "198.51.100.7",
            ),
            ("10.0.0.1", &["198.51.100.7:1234"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            // Nobody but proxies: the first of them is the client.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["é, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, é"], "10.0.0.1"),
            ("10.0.0.1", &["fe80::1%eth0"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(found(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn customers_of_ipv6_are_one() {
        let key = |address: &str| ClientAddress::new(address.parse().unwrap()).key();
        assert_eq!(key("2001:db8:1:2:3::4"), key("2001:db8:1:2:ffff::"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn a_trusted_proxy_may_name_the_client_alone() {
        let real = |peer, forwarded: &[&str], real| found_with(peer, forwarded, Some(real));
        assert_eq!(real("10.0.0.1", &[], "192.0.2.7"), "192.0.2.7");
        assert_eq!(real("10.0.0.1", &[], "nonsense"), "10.0.0.1");
        assert_eq!(real("192.0.2.1", &[], "192.0.2.7"), "192.0.2.1");
        let both = real("10.0.0.1", &["192.0.2.8"], "192.0.2.7");
        assert_eq!(both, "192.0.2.8", "X-Forwarded-For counts");
    }
}
