//! What has to stand behind a coordinator's certificate, as TLS asks it. Knows certificates and the system's roots, no
//! coordinator.

use std::io;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use proto::CertificatePin;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// What has to stand behind a coordinator's certificate.
#[derive(Clone, Copy, Debug)]
pub enum Trusted<'a> {
    /// Nothing yet: people compare words before anything that is said counts.
    AnyoneYet,
    /// One of these authorities (PEM), for the name it is asked by.
    Authority(&'a str),
    /// One that this system believes, for the name it is asked by.
    SystemRoots,
    /// This very certificate, whatever name it is for; or an authority with this pin that is shown along with it.
    Pinned(CertificatePin),
}

impl Trusted<'_> {
    /// The client's side of TLS.
    pub fn config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let by_pin = |pin| Arc::new(ByPin { provider, pin });
        let mut config = match self {
            Self::AnyoneYet => {
                builder.dangerous().with_custom_certificate_verifier(by_pin(None)).with_no_client_auth()
            }
            Self::Pinned(pin) => {
                builder.dangerous().with_custom_certificate_verifier(by_pin(Some(*pin))).with_no_client_auth()
            }
            Self::Authority(pem) => builder.with_root_certificates(roots_in(pem)?).with_no_client_auth(),
            Self::SystemRoots => builder.with_root_certificates(system_roots()?).with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The authorities in a PEM text; there has to be one.
fn roots_in(pem: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.context("an authority is no certificate")?)?;
    }
    ensure!(!roots.is_empty(), "there is no certificate of an authority");
    Ok(roots)
}

/// The authorities that this system believes.
fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    ensure!(!roots.is_empty(), "this system names no authority that it believes");
    Ok(roots)
}

/// The pin of the first certificate in a PEM text.
pub fn pin_of_first(pem: &str) -> Result<CertificatePin> {
    let first =
        CertificateDer::pem_slice_iter(pem.as_bytes()).next().context("there is no certificate")??;
    Ok(CertificatePin::of(&first))
}

/// What is wrong with the certificate, for people, if a connection failed because of it: then whoever is at the other end
/// was told nothing.
pub fn wrong_certificate(error: &io::Error) -> Option<&'static str> {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(wrong)) = tls else { return None };
    Some(match wrong {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for other names and addresses"
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "its certificate is out of date, or a clock is wrong"
        }
        _ => "it shows another certificate",
    })
}

/// Takes the certificate of one pin, or one by an authority of that pin, and has its key proved; any, without a pin.
#[derive(Debug)]
struct ByPin {
    provider: Arc<CryptoProvider>,
    pin: Option<CertificatePin>,
}

impl ServerCertVerifier for ByPin {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_it = |one: &CertificateDer<'_>| self.pin.is_none_or(|pin| CertificatePin::of(one) == pin);
        if is_it(shown) {
            return Ok(ServerCertVerified::assertion());
        }
        let authority = above.iter().find(|one| is_it(one)).ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let provider = Arc::clone(&self.provider);
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(shown, above, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
