//! TLS 1.3 by tokio-rustls: a download and an upload that end with close_notify.

use crate::patience::within_patience;
use crate::question::{Question, random};
use rcgen::{KeyPair, PKCS_ED25519};
use sim_tests::trial::{Trial, TrialRun, TrialStream};
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const DATA: &[u8] = b"all of the data";

type Received = Result<Vec<u8>, String>;
type Sent = Result<(), String>;

pub(crate) fn questions() -> Vec<Question> {
    vec![
        Question::new(
            "tokio-rustls, download up to close_notify",
            "Does the client ever take a part of the data for all?",
            || Trial::new(download, send_all, whole_download).label(random),
        ),
        Question::new(
            "tokio-rustls, upload up to close_notify",
            "Does the server ever take a part of the data for all?",
            || Trial::new(upload, receive_all, whole_upload).label(random),
        ),
        Question::new(
            "tokio-rustls, success of `shutdown` after an upload",
            "The client has written all, and `shutdown` has succeeded, without any fault: has the server received all?",
            // TCP promises it to nobody, and the documentation of `shutdown` does not either.
            || {
                Trial::new(upload_without_reading, receive_after_a_pause, received)
                    .label(random)
                    .faults(&[])
                    .only_surprises()
            },
        ),
    ]
}

/// The configurations of both sides, with a certificate made for this process. Signatures of Ed25519 have one length, so
/// that every run has the same I/O events.
fn configurations() -> &'static (Arc<ClientConfig>, Arc<ServerConfig>) {
    static BOTH: OnceLock<(Arc<ClientConfig>, Arc<ServerConfig>)> = OnceLock::new();
    BOTH.get_or_init(|| {
        let signing_key = KeyPair::generate_for(&PKCS_ED25519).expect("ring has Ed25519");
        let params = rcgen::CertificateParams::new(vec!["server".to_owned()]).expect("a name");
        let cert = params.self_signed(&signing_key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("its own certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("its own key");
        let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        // Otherwise a run would depend on the run before.
        client.resumption = Resumption::disabled();
        let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        (Arc::new(client), Arc::new(server.expect("they match")))
    })
}

async fn connect(stream: TrialStream) -> io::Result<tokio_rustls::client::TlsStream<TrialStream>> {
    let name = ServerName::try_from("server").map_err(io::Error::other)?;
    TlsConnector::from(Arc::clone(&configurations().0)).connect(name, stream).await
}

async fn accept(stream: TrialStream) -> io::Result<tokio_rustls::server::TlsStream<TrialStream>> {
    TlsAcceptor::from(Arc::clone(&configurations().1)).accept(stream).await
}

async fn download(stream: TrialStream) -> Received {
    within_patience(async {
        let mut tls = connect(stream).await?;
        let mut data = Vec::new();
        tls.read_to_end(&mut data).await?;
        tls.shutdown().await?;
        io::Result::Ok(data)
    })
    .await
}

async fn send_all(stream: TrialStream) -> Sent {
    within_patience(async {
        let mut tls = accept(stream).await?;
        tls.write_all(DATA).await?;
        tls.shutdown().await
    })
    .await
}

/// Waits for the server's end.
async fn upload(stream: TrialStream) -> Sent {
    within_patience(async {
        let mut tls = connect(stream).await?;
        tls.write_all(DATA).await?;
        tls.shutdown().await?;
        tls.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await
}

async fn receive_all(stream: TrialStream) -> Received {
    within_patience(async {
        let mut tls = accept(stream).await?;
        let mut data = Vec::new();
        tls.read_to_end(&mut data).await?;
        tls.shutdown().await?;
        io::Result::Ok(data)
    })
    .await
}

/// Returns as soon as its last write has succeeded. The server's session tickets are unread, so that the kernel closes
/// with RST.
async fn upload_without_reading(stream: TrialStream) -> Sent {
    within_patience(async {
        let mut tls = connect(stream).await?;
        // Meanwhile the tickets arrive.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        tls.write_all(DATA).await?;
        tls.shutdown().await
    })
    .await
}

/// A server that is busy for a moment before it reads.
async fn receive_after_a_pause(stream: TrialStream) -> Received {
    within_patience(async {
        let mut tls = accept(stream).await?;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let mut data = Vec::new();
        tls.read_to_end(&mut data).await?;
        io::Result::Ok(data)
    })
    .await
}

fn whole_download(run: &TrialRun<Received, Sent>) -> Result<(), String> {
    match run.client.returned() {
        Some(Ok(data)) if data != DATA => Err("a part passes for all".to_owned()),
        _ => Ok(()),
    }
}

fn whole_upload(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    match run.server.returned() {
        Some(Ok(data)) if data != DATA => Err("a part passes for all".to_owned()),
        _ => Ok(()),
    }
}

fn received(run: &TrialRun<Sent, Received>) -> Result<(), String> {
    match (run.client.returned(), run.server.returned()) {
        (Some(Ok(())), Some(Err(error))) => Err(format!("the client is content, and the server is not: {error}")),
        _ => whole_upload(run),
    }
}
