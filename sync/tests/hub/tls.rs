//! HTTPS, with a certificate of our own authority.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::json;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::common::Hub;

/// An authority's certificate, and writes `cert.pem` and `key.pem` for 127.0.0.1, signed by it.
fn certificates(folder: &std::path::Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    authority.pem()
}

fn agent(authority: &str) -> ureq::Agent {
    let roots = RootCerts::new_with_certs(&[Certificate::from_pem(authority.as_bytes()).unwrap()]);
    ureq::Agent::config_builder().tls_config(TlsConfig::builder().root_certs(roots).build()).build().into()
}

#[test]
fn https_with_a_certificate_that_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let authority = certificates(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let hub = Hub::start_in(folder, &["--tls-cert", &cert, "--tls-key", &key]);
    assert!(hub.url.starts_with("https://"), "{}", hub.url);
    let pull = |authority: &str| agent(authority).post(format!("{}/pull", hub.url)).send(json!({}).to_string());
    assert!(pull(&authority).unwrap().body_mut().read_to_string().unwrap().starts_with("{\"changes\":[]"));
    let plain = format!("{}/pull", hub.url.replace("https:", "http:"));
    assert!(ureq::post(plain).send("{}").is_err());
    let other = tempfile::tempdir().unwrap();
    assert!(pull(&certificates(other.path())).is_err(), "another authority");
    let renewed = certificates(hub.folder.path());
    hub.signal("-HUP");
    crate::common::eventually("the new certificate", || pull(&renewed).is_ok());
    assert!(pull(&authority).is_err());
    for _ in 0..2 {
        assert_eq!(agreed(&hub, &renewed).as_deref(), Some(&b"http/1.1"[..]), "what is offered is spoken");
        hub.signal("-HUP");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

/// What a client that speaks HTTP/2 too, as browsers, curl and Go's do, agrees on with the hub.
fn agreed(hub: &Hub, authority: &str) -> Option<Vec<u8>> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(hub.address()).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut socket).unwrap();
    }
    client.alpn_protocol().map(<[u8]>::to_vec)
}
