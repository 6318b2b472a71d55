//! Files that have no certificate or no key: one line, and exit code 3.

use crate::support::program::Kid;
use crate::support::tls::Authority;

#[track_caller]
fn fails(arguments: &[&str], expected: &str) {
    let (code, out, err) = Kid::echo_net(arguments).finish();
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    let line = err.strip_prefix("echo-net: ").unwrap_or_default();
    assert!(line.starts_with(expected) && line.lines().count() == 1, "expected {expected:?}, got {err:?}");
}

#[test]
fn of_a_server() {
    let authority = Authority::new();
    let [good, key] = ["good.pem", "good.key"].map(|file| authority.path(file));
    let missing = authority.path("missing");
    let empty = authority.writes("empty", "");
    let garbage = authority.writes("garbage", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let not_der = authority.writes("not-der", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    let cut = authority.writes("cut", "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n");
    let no_key = authority.writes("no-key", "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = authority.writes("encrypted", encrypted);
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\naGVsbG8=\n\
               -----END RSA PRIVATE KEY-----\n";
    let old = authority.writes("old", old);
    authority.issues("other", &["localhost"], |_| ());
    let other = authority.path("other.key");
    for (certificate, key, expected) in [
        (&missing, &key, format!("cannot read {missing}: No such file")),
        (&good, &missing, format!("cannot read {missing}: No such file")),
        (&empty, &key, format!("{empty} has no certificate: expected -----BEGIN CERTIFICATE-----\n")),
        (&key, &key, format!("{key} has no certificate: expected -----BEGIN CERTIFICATE-----\n")),
        (&garbage, &key, format!("{garbage} is no valid PEM file: ")),
        (&not_der, &key, format!("a certificate in {not_der} cannot be used: ")),
        (&good, &good, format!("{good} has no private key: expected -----BEGIN PRIVATE KEY-----\n")),
        (&good, &empty, format!("{empty} has no private key: expected -----BEGIN PRIVATE KEY-----\n")),
        (&good, &cut, format!("{cut} is no valid PEM file: ")),
        (&good, &no_key, format!("the private key in {no_key} cannot be used: ")),
        (&good, &encrypted, format!("the private key in {encrypted} is encrypted: expected one without a password\n")),
        (&good, &old, format!("the private key in {old} is encrypted: expected one without a password\n")),
        (&good, &other, format!("the private key in {other} does not belong to the certificate in {good}\n")),
    ] {
        fails(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key], &expected);
    }
}

#[test]
fn of_a_client() {
    let authority = Authority::new();
    let missing = authority.path("missing");
    let key = authority.path("good.key");
    for command in ["connect", "ping", "bench"] {
        let run = |file: &str, expected: &str| fails(&[command, "127.0.0.1:1", "--tls", "--tls-ca", file], expected);
        run(&missing, &format!("cannot read {missing}: No such file"));
        run(&key, &format!("{key} has no certificate: expected -----BEGIN CERTIFICATE-----\n"));
    }
}

#[test]
fn options_that_need_another() {
    for (arguments, expected) in [
        (&["serve", "--tls-cert", "a"][..], "--tls-key <FILE>"),
        (&["serve", "--tls-key", "a"], "--tls-cert <FILE>"),
        (&["connect", "--tls-ca", "a"], "--tls"),
        (&["connect", "--tls-name", "a"], "--tls"),
        (&["connect", "--tls", "--tls-name", "a b"], "a b is not the name of a TLS server: use --tls-name"),
        (&["bench", "--tls"], "--tls needs a server"),
    ] {
        let (code, _, err) = Kid::echo_net(arguments).finish();
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(expected), "{err}");
    }
}
