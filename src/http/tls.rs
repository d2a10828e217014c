//! Encrypted connections: the certificate and the key of the settings, read again when the process is told to (SIGHUP). The algorithms
//! are those of ring, TLS 1.2 and 1.3.

use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use fs_err as fs;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::base::limits::{TLS_CERTIFICATES_MAX, TLS_PEM_BYTES_MAX};

/// Why connections can't be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that can't be read.
    #[error("{}: {reason}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key don't go together, or can't be used.
    #[error("{} and {} can't be used together: {reason}", .certificate.display(), .key.display())]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A certificate with its key, as the files had them when they were read last.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    read: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        // The one that is compiled in.
        let provider = Arc::clone(ServerConfig::builder().crypto_provider());
        let read = RwLock::new(Arc::new(read(certificate, key, &provider)?));
        Ok(Arc::new(Self { chain: certificate.to_owned(), key: key.to_owned(), provider, read }))
    }

    /// Reads them again: connections that begin from now on have what stands there. Where that can't be used, all stays as it was.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = Arc::new(read(&self.chain, &self.key, &self.provider)?);
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// How a server encrypts by it.
    ///
    /// # Errors
    /// [`TlsError::Unfit`]; only for a defect of this program.
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let versions =
            ServerConfig::builder_with_provider(Arc::clone(&self.provider)).with_safe_default_protocol_versions();
        let versions = versions.map_err(|error| unfit(&self.chain, &self.key, &error))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        Ok(versions.with_no_client_auth().with_cert_resolver(resolver))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.read.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let wrong = |path: &Path, reason: String| TlsError::File { path: path.to_owned(), reason };
    let pem = bytes(certificate)?;
    let chain = CertificateDer::pem_slice_iter(&pem).take(TLS_CERTIFICATES_MAX + 1).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() || chain.len() > TLS_CERTIFICATES_MAX {
        let said = format!("1 to {TLS_CERTIFICATES_MAX} certificates stand there in PEM, the server's own first");
        return Err(wrong(certificate, said));
    }
    let found = PrivateKeyDer::from_pem_slice(&bytes(key)?);
    // What can't be parsed is not shown: it may be most of a key.
    let found = found.map_err(|_| wrong(key, "no private key in PEM stands there".to_owned()))?;
    warn_of_readers(key);
    CertifiedKey::from_der(chain, found, provider).map_err(|error| unfit(certificate, key, &error))
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let wrong = |reason: String| TlsError::File { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(TLS_PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > TLS_PEM_BYTES_MAX {
        return Err(wrong(format!("it is longer than {TLS_PEM_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn warn_of_readers(key: &Path) {
    if fs::metadata(key).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        tracing::warn!(key = %key.display(), "the server's private key can be read by others than its owner: chmod 600");
    }
}

fn unfit(certificate: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    TlsError::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), reason: error.to_string() }
}
