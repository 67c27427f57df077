//! Certificates. What the handshake offers is what the hub speaks: HTTP/1.1.

use std::path::PathBuf;
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::ServerConfig;

/// Certificate chain and key, PEM.
pub struct Tls {
    /// The certificate, and those that it is signed with.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Tls {
    /// Reads the files.
    pub fn read(&self) -> Result<RustlsConfig, String> {
        // Only fails where a provider is installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(RustlsConfig::from_config(self.config()?))
    }

    /// Reads them again; where they are wrong all stays as it was.
    pub fn read_again(&self, config: &RustlsConfig) {
        match self.config() {
            Ok(new) => {
                config.reload_from_config(new);
                tracing::info!("certificate read");
            }
            Err(e) => tracing::error!("the certificate stays as it was: {e}"),
        }
    }

    fn config(&self) -> Result<Arc<ServerConfig>, String> {
        let cert = |e: String| format!("{}: {e}", self.cert.display());
        let key = |e: String| format!("{}: {e}", self.key.display());
        let chain = CertificateDer::pem_file_iter(&self.cert).map_err(|e| cert(e.to_string()))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|e| cert(e.to_string()))?;
        let private = PrivateKeyDer::from_pem_file(&self.key).map_err(|e| key(e.to_string()))?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private);
        let mut config = config.map_err(|e| cert(e.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
