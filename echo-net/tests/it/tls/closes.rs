//! The close over TLS: nothing is lost, and both ends are clean.

use crate::support::server::{ServerTask, server_config};
use crate::support::tls::{Authority, name};
use crate::support::within;
use echo_net::echo_core::Failure;
use echo_net::rustls::ServerConfig as TlsServerConfig;
use echo_net::{Client, ClientConfig, Echo, Linger, Listener, PeerEnd, Request, Response, ServerConfig, Service};
use echo_net::{TlsListener, TlsStream, connect_tls, polite_close, serve, service_fn, tls_server_config};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};

async fn start(authority: &Authority, service: impl Service, config: ServerConfig) -> ServerTask {
    start_with(authority.server(), service, config).await
}

async fn start_with(tls: Arc<TlsServerConfig>, service: impl Service, config: ServerConfig) -> ServerTask {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    ServerTask::start(TlsListener::new(listener, tls), service, config)
}

async fn connect(server: &ServerTask, authority: &Authority) -> Client {
    let connecting = Client::connect_tls(server.address, name(), authority.client(), ClientConfig::default());
    within(connecting).await.expect("the server accepts")
}

#[tokio::test]
async fn a_conversation() {
    let authority = Authority::new();
    let server = start(&authority, Echo, ServerConfig::default()).await;
    let client = connect(&server, &authority).await;
    for message in ["small".to_owned(), "large ".repeat(50_000), String::new()] {
        let answer = within(client.request(message.clone())).await.expect("an answer");
        assert_eq!(answer.payload, message.as_bytes());
    }
    let outcome = within(client.close()).await;
    assert_eq!((outcome.end.name(), outcome.account.answered), ("clean", 3), "{outcome}");
    let report = server.drain().await;
    assert_eq!((report.ended("clean"), report.messages), (1, 3), "{report}");
}

/// Over a listener that is not TCP, and with a client on any stream.
#[tokio::test]
async fn a_unix_socket() {
    let authority = Authority::new();
    let path = authority.path("socket");
    let listener = TlsListener::new(UnixListener::bind(&path).expect("a free path"), authority.server());
    assert_eq!(listener.local_addr().expect("it listens").to_string(), path);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, Echo, ServerConfig::default(), async { drop(stopped.await) }));
    let stream = within(UnixStream::connect(&path)).await.expect("it listens");
    let stream = within(TlsStream::connect(stream, name(), authority.client())).await.expect("a handshake");
    let client = within(Client::greet(stream, ClientConfig::default())).await.expect("a server");
    assert_eq!(within(client.request("hello")).await.expect("an answer").payload, b"hello");
    assert!(within(client.close()).await.end.is_clean());
    drop(stop);
    assert_eq!(within(server).await.expect("no panic").ended("clean"), 1);
}

/// A client of TLS 1.3 that closes while session tickets are unread would reset the connection. With tickets, and
/// without.
#[tokio::test]
async fn a_client_that_never_reads_before_it_closes() {
    let authority = Authority::new();
    let mut with_tickets = TlsServerConfig::clone(&authority.server());
    assert_eq!(with_tickets.send_tls13_tickets, 0);
    with_tickets.send_tls13_tickets = 4;
    for tls in [authority.server(), Arc::new(with_tickets)] {
        let server = start_with(tls, Echo, ServerConfig::default()).await;
        for _ in 0..50 {
            let config = ClientConfig::default();
            let connecting = connect_tls(server.address, name(), authority.client(), Duration::from_secs(60));
            let client = Client::start(within(connecting).await.expect("a handshake"), config);
            let outcome = within(client.close()).await;
            assert!(outcome.end.is_clean(), "{outcome}");
        }
        let report = server.drain().await;
        assert_eq!(report.ended("clean"), 50, "{report}");
    }
}

/// 1,000 answers are owed when the server drains: all arrive.
#[tokio::test]
async fn a_drain_with_answers_under_way() {
    const COUNT: usize = 1000;
    let authority = Authority::new();
    let (began, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let service = {
        let (began, gate) = (began.clone(), gate.clone());
        service_fn(move |request: Request| {
            let (began, gate) = (began.clone(), gate.clone());
            async move {
                began.add_permits(1);
                gate.acquire().await.expect("it is never closed").forget();
                Ok::<_, Failure>(Response::new(request.payload.repeat(100)))
            }
        })
    };
    let config = server_config(|config| (config.max_calls, config.connection.unanswered) = (COUNT, COUNT));
    let server = start(&authority, service, config).await;
    let client = connect(&server, &authority).await;
    let mut pending = Vec::new();
    for number in 0..COUNT {
        pending.push(within(client.submit(number.to_string())).await.expect("it is open"));
    }
    within(began.acquire_many(u32::try_from(COUNT).expect("it is small"))).await.expect("all began").forget();
    let draining = tokio::spawn(server.drain());
    within(client.leaving()).await.expect("the server asks it to leave");
    gate.add_permits(COUNT);
    for (number, pending) in pending.into_iter().enumerate() {
        let answer = within(pending.answer()).await.expect("an answer");
        assert_eq!(answer.payload, number.to_string().repeat(100).as_bytes());
    }
    let outcome = within(client.ended()).await;
    assert_eq!((outcome.end.name(), outcome.account.answered), ("clean", COUNT as u64), "{outcome}");
    let report = within(draining).await.expect("no panic");
    assert_eq!((report.ended("clean"), report.messages), (1, COUNT as u64), "{report}");
}

/// 32 MiB each way, at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_transfer() {
    let authority = Authority::new();
    let server = start(&authority, Echo, ServerConfig::default()).await;
    let client = connect(&server, &authority).await;
    let block: Vec<u8> = (0..=255).cycle().take(256 * 1024).collect();
    let mut pending = Vec::new();
    for _ in 0..128 {
        pending.push(within(client.submit(block.clone())).await.expect("it is open"));
    }
    for pending in pending {
        assert!(within(pending.answer()).await.expect("an answer").payload == block);
    }
    assert!(within(client.close()).await.end.is_clean());
    assert_eq!(server.drain().await.ended("clean"), 1);
}

/// TLS 1.3 closes the two directions one by one.
#[tokio::test]
async fn a_half_close() {
    let authority = Authority::new();
    let server = start(&authority, Echo, ServerConfig::default()).await;
    let connecting = connect_tls(server.address, name(), authority.client(), Duration::from_secs(60));
    let mut stream = within(connecting).await.expect("a handshake");
    stream.write_all(b"one\ntwo\nno newline").await.expect("it is open");
    stream.shutdown().await.expect("close_notify and FIN");
    let mut answers = String::new();
    within(stream.read_to_string(&mut answers)).await.expect("close_notify of the server");
    assert!(answers.contains("] one\n") && answers.ends_with("] no newline"), "{answers}");
    drop(stream);
    assert_eq!(server.drain().await.ended("unproven"), 1);
}

#[tokio::test]
async fn a_polite_close() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let mut listener = TlsListener::new(listener, authority.server());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        assert!(stream.tls().is_none(), "the handshake begins with the first read");
        stream.read_exact(&mut [0; 5]).await.expect("a request");
        assert!(stream.tls().is_some());
        stream.write_all(&[b'x'; 100_000]).await.expect("it is open");
        polite_close(&mut stream, Linger::default()).await
    });
    let connecting = connect_tls(address, name(), authority.client(), Duration::from_secs(60));
    let mut stream = within(connecting).await.expect("a handshake");
    // More than the server wants: unread input would delete its answer.
    stream.write_all(&[b'y'; 50_000]).await.expect("it is open");
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.expect("close_notify of the server");
    assert_eq!(answer.len(), 100_000);
    stream.shutdown().await.expect("close_notify and FIN");
    let closed = within(server).await.expect("no panic");
    closed.flush.expect("all was handed over");
    assert_eq!((closed.end, closed.discarded), (PeerEnd::Eof, 49_995));
}

/// Both versions, for a session of TLS 1.2 closes in another way.
#[tokio::test]
async fn both_versions() {
    use echo_net::rustls::ServerConfig as Config;
    use echo_net::rustls::pki_types::pem::PemObject;
    use echo_net::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use echo_net::rustls::version::{TLS12, TLS13};
    use echo_net::rustls::{ProtocolVersion, crypto::ring};
    let authority = Authority::new();
    let [_, certificate, _, key] = authority.options("good");
    tls_server_config(certificate.as_ref(), key.as_ref()).expect("both are there");
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let builder = Config::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).expect("it is supported").with_no_client_auth();
        let chain = vec![CertificateDer::from_pem_file(&certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&key).expect("a key");
        let tls = Arc::new(builder.with_single_cert(chain, key).expect("they match"));
        let server = start_with(tls, Echo, ServerConfig::default()).await;
        let connecting = connect_tls(server.address, name(), authority.client(), Duration::from_secs(60));
        let stream = within(connecting).await.expect("a handshake");
        assert_eq!(stream.tls().and_then(|tls| tls.protocol_version()), Some(expected));
        let client = within(Client::greet(stream, ClientConfig::default())).await.expect("a server");
        assert_eq!(within(client.request("hello")).await.expect("an answer").payload, b"hello");
        assert!(within(client.close()).await.end.is_clean());
        assert_eq!(server.drain().await.ended("clean"), 1);
    }
}
