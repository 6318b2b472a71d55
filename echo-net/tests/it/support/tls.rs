//! Certificates for tests, and a peer with a TLS of its own that can end in every wrong way.

use super::PATIENCE;
use super::raw::{close, echo, goaway, hello};
use echo_net::echo_core::Role;
use echo_net::echo_core::preface::preface;
use echo_net::rustls::pki_types::ServerName;
use echo_net::rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use echo_net::{tls_authorities, tls_client_config, tls_server_config};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Length of a REPLY without its payload, and of a CLOSE without a reason.
const REPLY: usize = 36;
const CLOSE: usize = 15;

/// An authority, and a folder with the files of its certificates.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Creates an authority `ca.pem` with a certificate `good.pem` for localhost, and its key `good.key`.
    pub(crate) fn new() -> Self {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default().replace("::", "-");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        Self::named("the authority", folder)
    }

    /// Another authority, whose certificates nobody knows.
    pub(crate) fn foreign(&self) -> Self {
        Self::named("somebody else", self.folder.join("foreign"))
    }

    /// Another authority that takes the name of this one.
    pub(crate) fn impostor(&self) -> Self {
        Self::named("the authority", self.folder.join("impostor"))
    }

    fn named(name: &str, folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.join("ca.pem"), certificate.pem()).expect("a file");
        let authority = Self { folder, issuer: Issuer::new(params, key) };
        authority.issues("good", &["localhost", "127.0.0.1"], |_| ());
        authority
    }

    /// Creates the certificate `{file}.pem` and its key `{file}.key`.
    pub(crate) fn issues(&self, file: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.writes(&format!("{file}.pem"), &certificate.pem());
        self.writes(&format!("{file}.key"), &key.serialize_pem());
    }

    /// Writes a file, and returns its path.
    pub(crate) fn writes(&self, file: &str, text: &str) -> String {
        std::fs::write(self.folder.join(file), text).expect("a file");
        self.path(file)
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().expect("UTF-8").to_owned()
    }

    /// The options of a server with a certificate.
    pub(crate) fn options(&self, file: &str) -> [String; 4] {
        let path = |end: &str| self.path(&format!("{file}.{end}"));
        ["--tls-cert".to_owned(), path("pem"), "--tls-key".to_owned(), path("key")]
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let [_, certificate, _, key] = self.options("good");
        tls_server_config(certificate.as_ref(), key.as_ref()).expect("both are there")
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let authorities = tls_authorities(self.path("ca.pem").as_ref()).expect("it is there");
        tls_client_config(authorities).expect("the defaults work")
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The name of the good certificate.
pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// A TLS peer that does what a test wants, step by step.
pub(crate) struct Secure {
    tls: Connection,
    pub(crate) stream: TcpStream,
}

impl Secure {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr, authority: &Authority) -> Self {
        let mut secure = Self::begin(address, authority);
        secure.tls.complete_io(&mut secure.stream).expect("a handshake");
        secure
    }

    /// Connects, and does no handshake.
    #[track_caller]
    pub(crate) fn begin(address: SocketAddr, authority: &Authority) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        let tls = ClientConnection::new(authority.client(), name()).expect("a client");
        Self::on(stream, tls.into())
    }

    pub(crate) fn on(stream: TcpStream, tls: Connection) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self { tls, stream }
    }

    /// Does the handshake.
    pub(crate) fn shake_hands(&mut self) -> io::Result<()> {
        self.tls.complete_io(&mut self.stream).map(drop)
    }

    pub(crate) fn port(&self) -> u16 {
        self.stream.local_addr().expect("it is connected").port()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the peer takes bytes");
    }

    /// Sends at most 64 KiB.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// Waits for `count` bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut got = vec![0; count];
        self.read_exact(&mut got).expect("the peer says so much");
        got
    }

    /// Reads everything up to the peer's close_notify and FIN.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        self.read_to_end(&mut got).expect("the peer's close_notify");
        got
    }

    /// Sends close_notify and FIN.
    #[track_caller]
    pub(crate) fn finish(&mut self) {
        self.tls.send_close_notify();
        self.flush().expect("the peer takes bytes");
        self.cut();
    }

    /// Sends FIN alone.
    #[track_caller]
    pub(crate) fn cut(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection stands");
    }

    /// Reads what is left before it closes. With unread input the close would send RST, which can overtake what was sent.
    pub(crate) fn linger(mut self) {
        // The peer may reset.
        let _ = io::copy(&mut self.stream, &mut io::sink());
    }

    /// Sends RST.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("an option can be set");
    }

    /// Exchanges the prefaces as a client.
    #[track_caller]
    pub(crate) fn greets_server(&mut self) {
        self.send(&hello());
        assert_eq!(self.bytes(8), preface(Role::Server, 1), "clause 1.2");
    }

    /// Exchanges the prefaces as a server.
    #[track_caller]
    pub(crate) fn greets_client(&mut self) {
        assert_eq!(self.bytes(8), hello(), "clause 1.2");
        self.send(&preface(Role::Server, 1));
    }

    /// Sends request `seq`, and checks the answer.
    #[track_caller]
    pub(crate) fn asks(&mut self, seq: u64, payload: &[u8]) {
        self.send(&echo(seq, payload));
        assert_eq!(self.bytes(REPLY + payload.len())[REPLY..], *payload);
    }

    /// Exchanges the CLOSE frames after `asked` requests.
    #[track_caller]
    pub(crate) fn closes(&mut self, asked: u64) {
        self.send(&goaway(asked));
        self.bytes(CLOSE);
        self.send(&close(asked));
    }
}

impl Read for Secure {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                read => return read,
            }
            self.tls.read_tls(&mut self.stream)?;
            self.tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

/// A TLS server that does `act` with its first connection. Returns its address, and a thread with the result of `act`.
pub(crate) fn fake_tls<T: Send + 'static>(
    authority: &Authority,
    act: impl FnOnce(Secure) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let config = authority.server();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut secure = Secure::on(stream, ServerConnection::new(config).expect("a server").into());
        secure.shake_hands().expect("a handshake");
        act(secure)
    });
    (address, thread)
}
