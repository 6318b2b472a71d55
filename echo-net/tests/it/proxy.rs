//! A server behind a balancer that uses the PROXY protocol.

use crate::support::eventually;
use crate::support::program::Serve;
use crate::support::raw::{Raw, Said, hello};

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 2012\r\n";

fn v2() -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 192, 0, 2, 1, 0xdc, 0x04, 0x07, 0xdc];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"[..], &addresses].concat()
}

/// No address of the header is echoed.
#[test]
fn a_header_that_nobody_asked_for_is_refused_by_name() {
    for (version, header) in [(1, V1.to_vec()), (2, v2())] {
        for piece in [header.len(), 1] {
            let serve = Serve::start(&[]);
            let mut client = Raw::connect(serve.address);
            for piece in header.chunks(piece) {
                client.send(piece);
            }
            client.finish();
            let said = String::from_utf8_lossy(&client.rest()).into_owned();
            let reason = format!("got a PROXY protocol header (version {version})\n");
            assert!(said.contains("echo: ") && said.ends_with(&reason), "{said:?}");
            assert!(!said.contains("192") && !said.contains("56324"), "{said:?}");
            serve.kid.logs(&format!("a PROXY protocol header (version {version})"));
        }
    }
}

#[test]
fn a_header_is_read_where_it_is_asked_for() {
    let serve = Serve::start(&["--accept-proxy"]);
    for (header, named) in [
        (V1.to_vec(), "belongs to 192.0.2.7:56324"),
        (v2(), "belongs to 192.0.2.7:56324"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n".to_vec(), "belongs to [2001:db8::7]:1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "belongs to a client that the balancer does not name"),
        // A health check of the balancer.
        (b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00".to_vec(), "belongs to the balancer itself"),
        // Then all that follows must be ignored: addresses, and unknown families.
        ([&b"\r\n\r\n\0\r\nQUIT\n\x20\x11\x00\x0c"[..], &[203; 12]].concat(), "belongs to the balancer itself"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\xf5\x00\x02ab".to_vec(), "belongs to the balancer itself"),
    ] {
        for piece in [header.len(), 1] {
            let mut framed = Raw::connect(serve.address);
            let all = [&header[..], &hello()].concat();
            for piece in all.chunks(piece) {
                framed.send(piece);
            }
            framed.hears_preface();
            framed.asks(1, b"hello");
            framed.ends_clean(1);
        }
        let mut plain = Raw::connect(serve.address);
        plain.send(&[&header[..], b"hello\n"].concat());
        plain.finish();
        assert!(String::from_utf8_lossy(&plain.rest()).ends_with("] hello\n"));
        serve.kid.logs(named);
    }
    assert!(!serve.kid.stderr().contains("203.203.203.203"), "{}", serve.kid.stderr());
}

/// Other clients are not affected.
#[test]
fn a_connection_without_a_header_is_refused_where_one_is_asked_for() {
    let serve = Serve::start(&["--accept-proxy"]);
    let mut other = Raw::connect(serve.address);
    other.send(&[V1, &hello()].concat());
    other.hears_preface();
    for (seq, wrong) in (1..).zip([
        &b"hello\n"[..],
        &hello(),
        b"PROXY TCP4 nonsense\r\n",
        &[b'P'; 200],
        &[&b"PROXY TCP4 "[..], &[b'1'; 200]].concat(),
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x91\x11\x00\x0c123456789012",
    ]) {
        let mut raw = Raw::connect(serve.address);
        raw.send(wrong);
        assert!(matches!(raw.hears(), Said::Fin | Said::Reset), "{wrong:?}");
        other.asks(seq, b"still here");
    }
    let refused = "is refused: expected a PROXY header (--accept-proxy), got ";
    serve.kid.logs(&format!("{refused}other bytes"));
    serve.kid.logs(&format!("{refused}an invalid header of version 1 "));
    serve.kid.logs(&format!("{refused}an invalid header of version 2 "));
    for begun in [&b"PROXY TCP4 192.0.2.7"[..], b"\r\n\r\n\0\r\nQUIT\n\x21\x11"] {
        let before = serve.kid.stderr().matches("a part of it and then FIN").count();
        let mut raw = Raw::connect(serve.address);
        raw.send(begun);
        raw.finish();
        assert!(matches!(raw.hears(), Said::Fin | Said::Reset), "{begun:?}");
        eventually("a warning", || serve.kid.stderr().matches("a part of it and then FIN").count() > before);
    }
    // Connects and leaves, like a health check.
    drop(Raw::connect(serve.address));
    other.asks(8, b"still here");
}
