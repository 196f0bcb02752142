//! The owner's own certificate and key, from their files.

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{AuthorityError, OwnCertificate};

/// Reads both files and makes sure that they belong together.
pub(crate) fn load(own: &OwnCertificate) -> Result<CertifiedKey, AuthorityError> {
    let read_chain = |source| AuthorityError::Read { path: own.chain.clone(), source };
    let read_key = |source| AuthorityError::Read { path: own.key.clone(), source };
    let chain = CertificateDer::pem_file_iter(&own.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(read_chain)?;
    if chain.is_empty() {
        return Err(AuthorityError::NoCertificate(own.chain.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&own.key).map_err(read_key)?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(AuthorityError::Mismatch)
}
