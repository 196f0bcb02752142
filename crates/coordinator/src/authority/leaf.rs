//! The certificate shown to browsers: for the names and addresses of now, signed by the authority. Kept on the disk, so
//! that a browser that was told to accept it accepts it after a restart as well.

use std::net::IpAddr;
use std::path::Path;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType,
};
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

use super::ca::{CertificateAuthority, may_sign_for};
use super::{AuthorityError, HostNames};
use crate::keyfile::{self, KeyFileError};

/// Browsers take no certificate that lasts longer than 398 days.
pub(crate) const LIFETIME: Duration = Duration::days(397);
/// A new one is made when this much is left.
const RENEW_BEFORE: Duration = Duration::days(30);
/// Clocks of other devices may be behind.
const BACKDATE: Duration = Duration::days(1);

/// A certificate with its key and what it covers.
pub(crate) struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Sorted, private or configured ones only.
    addresses: Vec<IpAddr>,
    names: HostNames,
    renew_at: i64,
}

impl Leaf {
    /// Loads the certificate if it still serves, else makes one.
    pub(crate) fn open(
        dir: &Path,
        ca: &CertificateAuthority,
        names: &HostNames,
        addresses: &[IpAddr],
        now: OffsetDateTime,
    ) -> Result<Self, AuthorityError> {
        match Self::load(dir, ca, names)? {
            Some(leaf) if leaf.serves(addresses, now) => Ok(leaf),
            _ => Self::make(dir, ca, names, addresses, now),
        }
    }

    /// True if it covers these addresses and lasts. Addresses that went away are no reason for a new one.
    pub(crate) fn serves(&self, addresses: &[IpAddr], now: OffsetDateTime) -> bool {
        let needed = signable(&self.names, addresses);
        needed.iter().all(|ip| self.addresses.contains(ip)) && now.unix_timestamp() < self.renew_at
    }

    fn load(
        dir: &Path,
        ca: &CertificateAuthority,
        names: &HostNames,
    ) -> Result<Option<Self>, AuthorityError> {
        let path = dir.join("certificate.pem");
        let Some(bytes) = keyfile::read(&path)? else { return Ok(None) };
        let broken = || KeyFileError::Content(path.clone());
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| broken())?;
        let (about, pems) = text.split_once('\n').ok_or_else(broken)?;
        let words: Vec<&str> = about.split(' ').collect();
        let [_, authority, renew_at, addresses] = words.as_slice() else { return Err(broken().into()) };
        if *authority != super::fingerprint(ca.der()) {
            return Ok(None);
        }
        let addresses: Result<Vec<IpAddr>, _> =
            addresses.split(',').filter(|a| !a.is_empty()).map(str::parse).collect();
        Ok(Some(Self {
            chain: vec![CertificateDer::from_pem_slice(pems.as_bytes()).map_err(|_| broken())?],
            key: PrivateKeyDer::from_pem_slice(pems.as_bytes()).map_err(|_| broken())?,
            addresses: addresses.map_err(|_| broken())?,
            names: names.clone(),
            renew_at: renew_at.parse().map_err(|_| broken())?,
        }))
    }

    /// Makes a certificate and keeps it.
    pub(crate) fn make(
        dir: &Path,
        ca: &CertificateAuthority,
        names: &HostNames,
        addresses: &[IpAddr],
        now: OffsetDateTime,
    ) -> Result<Self, AuthorityError> {
        let addresses = signable(names, addresses);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params(names, &addresses, now)?.signed_by(&key, &ca.issuer()?)?;
        let renew_at = (now + LIFETIME - RENEW_BEFORE - BACKDATE).unix_timestamp();
        let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let authority = super::fingerprint(ca.der());
        let about = format!("lanthorn-certificate-1 {authority} {renew_at} {}", list.join(","));
        let text = proto::Secret::new(format!("{about}\n{}{}", certificate.pem(), key.serialize_pem()));
        keyfile::write(&dir.join("certificate.pem"), text.expose().as_bytes())?;
        Ok(Self {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der())
                .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?,
            addresses,
            names: names.clone(),
            renew_at,
        })
    }

    /// What TLS shows: with the authority, so that whoever knows only its pin finds it there.
    pub(crate) fn certified_key(&self, ca: &CertificateAuthority) -> Result<CertifiedKey, AuthorityError> {
        let provider = ring::default_provider();
        let authority = CertificateDer::from(ca.der().to_vec());
        let chain = self.chain.iter().cloned().chain([authority]).collect();
        CertifiedKey::from_der(chain, self.key.clone_key(), &provider).map_err(AuthorityError::Mismatch)
    }
}

fn signable(names: &HostNames, addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> =
        addresses.iter().chain(names.addresses()).copied().filter(|ip| may_sign_for(names, *ip)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn params(
    names: &HostNames,
    addresses: &[IpAddr],
    now: OffsetDateTime,
) -> Result<CertificateParams, rcgen::Error> {
    let mut dns = vec!["localhost".to_owned()];
    dns.extend(names.names().iter().cloned());
    let mut params = CertificateParams::new(dns)?;
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];
    params.subject_alt_names.extend(loopback.iter().chain(addresses).map(|ip| SanType::IpAddress(*ip)));
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationName, "Lanthorn");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - BACKDATE;
    params.not_after = now + LIFETIME - BACKDATE;
    Ok(params)
}
