//! Who is at the other end, in TLS's terms: each side shows a certificate that is nothing but its device key, and
//! each side looks at the key alone. Names, dates and authorities play no part.

use std::sync::Arc;

use proto::DeviceId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    ServerConfig, SignatureScheme,
};

use crate::key::DeviceKey;
use crate::protocol::Protocol;

/// What stands before the 32 bytes of an Ed25519 key in a certificate (RFC 8410 §4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Follows a device's id where TLS wants a host's name.
const NAME_TAIL: &str = ".lanthorn";

/// Asked of every device that knocks.
pub(crate) trait MayEnter: Send + Sync + 'static {
    /// True if streams of this device are accepted.
    fn may_enter(&self, device: DeviceId) -> bool;
}

/// The key in a certificate.
pub(crate) fn device_of(certificate: &CertificateDer<'_>) -> Option<DeviceId> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let info = parsed.subject_public_key_info();
    let key = info.as_ref().strip_prefix(&SPKI_HEAD)?;
    Some(DeviceId::from_public_key(key.try_into().ok()?))
}

/// The name by which a dialler tells its verifier whom it expects. It is never sent.
pub(crate) fn name_of(device: DeviceId) -> Option<ServerName<'static>> {
    format!("{device}{NAME_TAIL}").try_into().ok()
}

/// How to dial with this key.
pub(crate) fn dialler(key: &DeviceKey, protocol: Protocol) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let (chain, secret) = certificate(key)?;
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ExactPeer(provider)))
        .with_client_auth_cert(chain, secret)?;
    config.alpn_protocols = vec![protocol.name().into()];
    config.enable_sni = false;
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// How to answer with this key. No session is ever resumed: who was allowed once is asked for again.
pub(crate) fn acceptor(key: &DeviceKey, door: Arc<dyn MayEnter>) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let (chain, secret) = certificate(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AllowedPeers { provider, door }))
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = Protocol::ALL.iter().map(|protocol| protocol.name().into()).collect();
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certificate(key: &DeviceKey) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let failed = |error: rcgen::Error| Error::General(error.to_string());
    let secret = PrivateKeyDer::Pkcs8(key.to_pkcs8().to_vec().into());
    let pair = rcgen::KeyPair::from_der_and_sign_algo(&secret, &rcgen::PKCS_ED25519).map_err(failed)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let made = params.self_signed(&pair).map_err(failed)?;
    Ok((vec![made.der().clone()], secret))
}

/// The dialler's check: the very device it asked for.
#[derive(Debug)]
struct ExactPeer(Arc<CryptoProvider>);

impl ServerCertVerifier for ExactPeer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        expected: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let device = device_of(certificate).ok_or(CertificateError::BadEncoding)?;
        if name_of(device).as_ref() == Some(expected) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// The acceptor's check: whoever is on the list.
struct AllowedPeers {
    provider: Arc<CryptoProvider>,
    door: Arc<dyn MayEnter>,
}

impl std::fmt::Debug for AllowedPeers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AllowedPeers")
    }
}

impl ClientCertVerifier for AllowedPeers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let device = device_of(certificate).ok_or(CertificateError::BadEncoding)?;
        if self.door.may_enter(device) {
            return Ok(ClientCertVerified::assertion());
        }
        tracing::debug!(device = %device.short(), "refused: not paired");
        // Becomes the alert `access_denied`.
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
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
        vec![SignatureScheme::ED25519]
    }
}
