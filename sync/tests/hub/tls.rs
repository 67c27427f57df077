//! HTTPS, with a certificate of our own authority.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
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
}
