//! The authority: a key that can sign certificates for this machine's own names and for private addresses, and for
//! nothing else. Whoever steals it cannot pose as anybody's bank.

use std::net::IpAddr;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};

use super::{AuthorityError, HostNames};
use crate::keyfile::{self, KeyFileError};

/// How long the authority lasts: people install it once.
const LIFETIME: Duration = Duration::days(3650);
/// Clocks of other devices may be behind.
const BACKDATE: Duration = Duration::days(1);

/// Where the key begins in the file.
const KEY_BLOCK: &str = "-----BEGIN PRIVATE KEY-----";

/// Private, link-local and loopback networks, for which it may sign.
const PRIVATE_NETWORKS: [(IpAddr, u8); 9] = [
    (IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(std::net::Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(std::net::Ipv4Addr::new(100, 64, 0, 0)), 10),
    (IpAddr::V6(std::net::Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
    (IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 128),
];

/// The authority's key and certificate.
pub(crate) struct CertificateAuthority {
    key_pem: proto::Secret<String>,
    pem: String,
    der: CertificateDer<'static>,
}

impl CertificateAuthority {
    /// Loads the authority from its files, or makes one. One that was made for other names is put away, since
    /// browsers would not believe its certificates for the present names.
    pub(crate) fn open(dir: &Path, names: &HostNames, now: OffsetDateTime) -> Result<Self, AuthorityError> {
        let path = dir.join("authority.pem");
        let Some(bytes) = keyfile::read(&path)? else { return Self::make(&path, names, now) };
        let broken = || KeyFileError::Content(path.clone());
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| broken())?;
        let (about, pems) = text.split_once('\n').ok_or_else(broken)?;
        let der = CertificateDer::from_pem_slice(pems.as_bytes()).map_err(|_| broken())?;
        // This reader takes the first block only, whatever it is.
        let key_at = pems.find(KEY_BLOCK).ok_or_else(broken)?;
        let key = KeyPair::from_pem(&pems[key_at..]).map_err(|_| broken())?;
        let mut about = about.split(' ').skip(1);
        let ends = about.next().and_then(|s| s.parse().ok()).ok_or_else(broken)?;
        if about.next() != Some(scope(names).as_str()) || now.unix_timestamp() > ends {
            tracing::warn!("made a new certificate authority: the old one is for other names or has ended");
            return Self::make(&path, names, now);
        }
        Ok(Self::of(&key, der))
    }

    fn make(path: &Path, names: &HostNames, now: OffsetDateTime) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params(names, now).self_signed(&key)?;
        let ends = (now + LIFETIME - super::leaf::LIFETIME).unix_timestamp();
        let text = format!(
            "lanthorn-authority-1 {ends} {}\n{}{}",
            scope(names),
            certificate.pem(),
            key.serialize_pem()
        );
        let text = proto::Secret::new(text);
        keyfile::write(path, text.expose().as_bytes())?;
        Ok(Self::of(&key, certificate.der().clone()))
    }

    fn of(key: &KeyPair, der: CertificateDer<'static>) -> Self {
        let key_pem = proto::Secret::new(key.serialize_pem());
        Self { key_pem, pem: to_pem(&der), der }
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The key with its certificate, to sign with.
    pub(crate) fn issuer(&self) -> Result<Issuer<'_, KeyPair>, AuthorityError> {
        let key = KeyPair::from_pem(self.key_pem.expose())?;
        Ok(Issuer::from_ca_cert_der(&self.der, key)?)
    }
}

/// True if the authority may sign for this address. One outside would spoil the whole certificate.
pub(crate) fn may_sign_for(names: &HostNames, address: IpAddr) -> bool {
    names.addresses().contains(&address) || PRIVATE_NETWORKS.iter().any(|network| holds(*network, address))
}

fn holds((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(n), IpAddr::V4(a)) => (u32::from(n) ^ u32::from(a)).leading_zeros() >= bits.into(),
        (IpAddr::V6(n), IpAddr::V6(a)) => (u128::from(n) ^ u128::from(a)).leading_zeros() >= bits.into(),
        _ => false,
    }
}

/// The names an authority was made for, as one word.
fn scope(names: &HostNames) -> String {
    let addresses = names.addresses().iter().map(ToString::to_string);
    let all: Vec<String> = names.names().iter().cloned().chain(addresses).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(",") }
}

fn params(names: &HostNames, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    let host = names.names().first().map_or("this machine", String::as_str);
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, format!("Lanthorn on {host}"));
    params.distinguished_name.push(DnType::OrganizationName, "Lanthorn");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - BACKDATE;
    params.not_after = now + LIFETIME;
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted(names), excluded_subtrees: Vec::new() });
    params
}

fn permitted(names: &HostNames) -> Vec<GeneralSubtree> {
    let localhost = std::iter::once("localhost".to_owned());
    let dns = localhost.chain(names.names().iter().cloned()).map(GeneralSubtree::DnsName);
    let configured = names.addresses().iter().map(|ip| (*ip, if ip.is_ipv4() { 32 } else { 128 }));
    let networks = PRIVATE_NETWORKS.into_iter().chain(configured);
    dns.chain(networks.map(|(ip, bits)| GeneralSubtree::IpAddress(subnet(ip, bits)))).collect()
}

fn subnet(address: IpAddr, bits: u8) -> CidrSubnet {
    CidrSubnet::from_addr_prefix(address, bits)
}

/// PEM of a certificate.
fn to_pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let body = base64(der);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// Standard base 64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize] as char;
            text.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_has_the_standard_form() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn it_signs_for_private_and_configured_addresses_only() {
        let names = HostNames::new("attic", &["203.0.113.9".into()]);
        for (address, may) in [
            ("192.168.1.7", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("8.8.8.8", false),
            ("203.0.113.9", true),
            ("203.0.113.10", false),
            ("fe80::1", true),
            ("fd12::1", true),
            ("2001:db8::1", false),
            ("::1", true),
        ] {
            assert_eq!(may_sign_for(&names, address.parse().unwrap()), may, "{address}");
        }
    }

    #[test]
    fn it_is_made_once_per_set_of_names() {
        let dir = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let open = |names: &HostNames, now| {
            CertificateAuthority::open(dir.path(), names, now).unwrap().der().to_vec()
        };
        let names = HostNames::new("attic", &[]);
        let first = open(&names, now);
        assert_eq!(open(&names, now), first);
        assert_eq!(open(&names, now + Duration::days(3000)), first);
        let renamed = open(&HostNames::new("cellar", &[]), now);
        assert_ne!(renamed, first);
        assert_ne!(open(&names, now + Duration::days(3600)), renamed);
    }
}
