//! Whose certificates a relay may show: those of the authorities that were named, and they can change while the lane
//! is in use. What passes a relay is sealed in any case.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The authorities that are trusted now.
#[derive(Debug)]
pub(crate) struct Trust {
    provider: Arc<CryptoProvider>,
    named: Mutex<Named>,
    verifier: RwLock<Option<Arc<WebPkiServerVerifier>>>,
}

/// Who was named, by whom.
#[derive(Debug, Default)]
struct Named {
    /// This machine's own authority.
    own: Option<CertificateDer<'static>>,
    /// Those of the coordinators that were joined.
    joined: Vec<CertificateDer<'static>>,
}

impl Default for Trust {
    fn default() -> Self {
        let provider = Arc::new(ring::default_provider());
        Self { provider, named: Mutex::default(), verifier: RwLock::default() }
    }
}

impl Trust {
    /// Trusts these from now on, and nobody else but this machine's own. What is no certificate is passed over.
    pub(crate) fn set_joined(&self, authorities: Vec<CertificateDer<'static>>) {
        self.change(|named| named.joined = authorities);
    }

    /// Trusts this machine's own authority as well.
    pub(crate) fn set_own(&self, authority: CertificateDer<'static>) {
        self.change(|named| named.own = Some(authority));
    }

    fn change(&self, change: impl FnOnce(&mut Named)) {
        let mut named = self.named.lock();
        change(&mut named);
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(named.joined.iter().chain(&named.own).cloned());
        let provider = Arc::clone(&self.provider);
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        *self.verifier.write() = built.ok();
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.verifier.read().clone();
        let verifier = verifier.ok_or(CertificateError::UnknownIssuer)?;
        verifier.verify_server_cert(certificate, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
