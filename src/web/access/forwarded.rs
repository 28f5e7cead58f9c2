//! The address of the client behind proxies.

use std::net::IpAddr;

use presence::model::mask::Mask;

/// The caller's address: the address of the connection or, if that is a trusted proxy, the
/// last address in `X-Forwarded-For` that is not a trusted proxy. Everything before that
/// address was written by the caller, and proves nothing. If an entry is not an address, the
/// caller is the proxy that wrote the entry.
///
/// `headers` are the values of that header in their order; `None` for a value that is not
/// UTF-8.
pub fn caller<'a>(
    connection: IpAddr,
    headers: impl DoubleEndedIterator<Item = Option<&'a str>>,
    trusted: &[Mask],
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|mask| mask.contains(address));
    let mut caller = connection;
    // The nearest proxy writes last.
    let mut hops = headers
        .rev()
        .flat_map(|value| value.unwrap_or("?").rsplit(','));
    while is_trusted(caller) {
        match hops.next().and_then(address) {
            Some(before) => caller = before,
            None => break,
        }
    }
    caller
}

/// An address, with an optional port, which some proxies write.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || match text.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map(|(address, _)| address),
        None => text.split_once(':').map(|(address, _)| address),
    };
    let address: IpAddr = text.parse().ok().or_else(|| bare()?.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(connection: &str, headers: &[Option<&str>]) -> String {
        let trusted =
            ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(|mask| Mask::parse(mask).unwrap());
        caller(
            connection.parse().unwrap(),
            headers.iter().copied(),
            &trusted,
        )
        .to_string()
    }

    #[test]
    fn the_last_address_that_is_not_a_proxy_is_the_caller() {
        assert_eq!(from("127.0.0.1", &[Some("192.0.2.1")]), "192.0.2.1");
        // The caller's own entry comes before it.
        assert_eq!(
            from("127.0.0.1", &[Some("1.1.1.1, 192.0.2.1")]),
            "192.0.2.1"
        );
        assert_eq!(
            from("127.0.0.1", &[Some("1.1.1.1,192.0.2.1, 10.1.1.1")]),
            "192.0.2.1"
        );
        let several = [Some("1.1.1.1"), Some("192.0.2.1"), Some("fd00::1")];
        assert_eq!(from("::ffff:10.9.9.9", &several), "192.0.2.1");
        assert_eq!(from("127.0.0.1", &[Some("192.0.2.1:4711")]), "192.0.2.1");
        assert_eq!(
            from("127.0.0.1", &[Some("[2001:db8::1]:4711")]),
            "2001:db8::1"
        );
        assert_eq!(from("127.0.0.1", &[Some("[2001:db8::1]")]), "2001:db8::1");
        assert_eq!(from("127.0.0.1", &[Some("::ffff:192.0.2.1")]), "192.0.2.1");
        // All of them are proxies: the first proxy is the caller.
        assert_eq!(from("127.0.0.1", &[Some("10.0.0.7, 10.0.0.8")]), "10.0.0.7");
    }

    #[test]
    fn the_header_of_a_client_is_ignored() {
        assert_eq!(from("192.0.2.9", &[Some("127.0.0.1")]), "192.0.2.9");
        assert_eq!(
            caller(
                "127.0.0.1".parse().unwrap(),
                [Some("1.1.1.1")].into_iter(),
                &[]
            )
            .to_string(),
            "127.0.0.1"
        );
    }

    #[test]
    fn an_entry_that_is_not_an_address_means_the_proxy_that_wrote_it() {
        assert_eq!(from("127.0.0.1", &[]), "127.0.0.1");
        for bad in [
            "",
            "unknown",
            "192.0.2",
            "192.0.2.1 x",
            "_hidden",
            ",",
            "[::1",
            "1.1.1.1,",
        ] {
            assert_eq!(from("127.0.0.1", &[Some(bad)]), "127.0.0.1", "{bad}");
            let before = format!("1.1.1.1, {bad}, 10.0.0.7");
            assert_eq!(from("127.0.0.1", &[Some(&before)]), "10.0.0.7", "{bad}");
        }
        assert_eq!(from("127.0.0.1", &[Some("1.1.1.1"), None]), "127.0.0.1");
    }
}
