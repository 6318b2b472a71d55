//! Addresses on the command line.

/// The port of the classic echo program.
pub(crate) const PORT: u16 = 2012;
/// The default port of metrics.
pub(crate) const METRICS_PORT: u16 = 2013;
/// The default host.
pub(crate) const HOST: &str = "127.0.0.1";

/// Parses a host and a port. `HOST`, `HOST:PORT`, `::1`, `[::1]` and `[fe80::1%eth0]:PORT` name a host; `:PORT` means
/// the default host. The default port is `port`.
///
/// # Errors
/// The port is not a number from 0 to 65535, or a bracket or colon is wrong.
pub(crate) fn parse(text: &str, port: u16) -> Result<(String, u16), String> {
    let wrong = |given: &str| match given {
        "" => format!("{text}: expected a port after the colon"),
        given => format!("{given} in {text} is not a port: expected a number from 0 to 65535"),
    };
    if text.is_empty() {
        return Err("expected a host, a port or both".to_owned());
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| format!("{text}: expected ] after the address"))?;
        return match rest.strip_prefix(':') {
            Some(given) => Ok((host.to_owned(), given.parse().map_err(|_| wrong(given))?)),
            None if rest.is_empty() => Ok((host.to_owned(), port)),
            None => Err(format!("{text}: expected : and a port after ]")),
        };
    }
    match text.split_once(':') {
        Some((host, given)) if !given.contains(':') => {
            let host = if host.is_empty() { HOST } else { host };
            Ok((host.to_owned(), given.parse().map_err(|_| wrong(given))?))
        }
        // More than one colon: an IPv6 address, which needs brackets for a port.
        Some(_) | None => Ok((text.to_owned(), port)),
    }
}

/// Parses an address to listen on as [`parse`] does. A number alone is a port.
///
/// # Errors
/// Those of [`parse`].
pub(crate) fn parse_listen(text: &str, port: u16) -> Result<(String, u16), String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { parse(&format!(":{text}"), port) } else { parse(text, port) }
}

/// Returns `HOST:PORT` for messages, with brackets for an IPv6 address.
pub(crate) fn shown((host, port): &(String, u16)) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Removes `address` from the beginning of `error`, so that a message names it only once.
pub(crate) fn without<'a>(address: &str, error: &'a str) -> &'a str {
    error.strip_prefix(address).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::{parse, shown};

    #[test]
    fn a_port_stands_behind_a_name_an_address_or_brackets() {
        for (text, host, port) in [
            ("localhost", "localhost", 2012),
            ("localhost:7", "localhost", 7),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("::1", "::1", 2012),
            ("::1:2013", "::1:2013", 2012),
            ("[::1]", "::1", 2012),
            ("[::1]:7", "::1", 7),
            ("fe80::1%lo", "fe80::1%lo", 2012),
            ("[fe80::1%lo]:7", "fe80::1%lo", 7),
            (":7", "127.0.0.1", 7),
        ] {
            assert_eq!(parse(text, 2012), Ok((host.to_owned(), port)), "{text}");
        }
        assert_eq!(shown(&("::1".to_owned(), 7)), "[::1]:7");
    }

    #[test]
    fn what_is_no_port_is_named() {
        for (text, named) in
            [("localhost:http", "http"), ("[::1]:x", "x"), ("[::1", "expected ]"), ("[::1]7", "expected :")]
        {
            let error = parse(text, 2012).expect_err(text);
            assert!(error.contains(named), "{error}");
        }
        assert!(parse("localhost:65536", 2012).is_err());
    }
}
