//! The machine's own certificates: an authority made at the first start, and certificates it signs for the names
//! and addresses this machine has at the time. Knows nothing of who asks.

mod ca;
mod leaf;
mod names;
mod own;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use proto::CertificatePin;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use crate::keyfile::KeyFileError;
use ca::CertificateAuthority;
pub(crate) use ca::base64;
use leaf::Leaf;
pub(crate) use names::{HostNames, own_addresses};

/// A certificate and key of the owner's own.
#[derive(Clone, Debug)]
pub struct OwnCertificate {
    /// PEM: the certificate, then those that lead to its authority.
    pub chain: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The owner's certificate or key cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{0} holds no certificate")]
    NoCertificate(PathBuf),
    /// The certificate and the key are not a pair, or of a kind that is not known here.
    #[error("the certificate and the key do not belong together")]
    Mismatch(#[source] rustls::Error),
    /// The task that opens files was ended.
    #[error("the start was interrupted")]
    Interrupted,
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

/// How often a page in a process of its own looks at addresses and certificate.
const FOLLOW_PERIOD: std::time::Duration = std::time::Duration::from_secs(60);

/// Where the certificates come from.
enum Source {
    Authority(CertificateAuthority),
    Own(OwnCertificate),
}

/// What is shown to callers, and what people compare it with.
struct Shown {
    key: Arc<CertifiedKey>,
    fingerprint: String,
    /// What a certificate of our own authority covers.
    leaf: Option<Leaf>,
}

/// The certificates of this machine.
pub(crate) struct Authority {
    dir: PathBuf,
    source: Source,
    names: HostNames,
    shown: Arc<RwLock<Shown>>,
    tls: Arc<ServerConfig>,
}

impl Authority {
    /// Loads or makes what is needed. Blocks on the disk for a few small files.
    pub(crate) fn open(
        dir: &Path,
        names: HostNames,
        own: Option<OwnCertificate>,
        addresses: &[IpAddr],
        now: OffsetDateTime,
    ) -> Result<Self, AuthorityError> {
        let (source, shown) = match own {
            Some(own) => {
                let shown = show(own::load(&own)?, None);
                (Source::Own(own), shown)
            }
            None => {
                let ca = CertificateAuthority::open(dir, &names, now)?;
                let leaf = Leaf::open(dir, &ca, &names, addresses, now)?;
                let shown = show(leaf.certified_key(&ca)?, Some(leaf));
                (Source::Authority(ca), shown)
            }
        };
        let shown = Arc::new(RwLock::new(shown));
        let tls = server_config(Arc::clone(&shown))?;
        Ok(Self { dir: dir.to_owned(), source, names, shown, tls })
    }

    pub(crate) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// Once a minute: a new certificate if the addresses are others or the time is nearly over; the owner's own if
    /// its files have changed. New connections see it at once.
    pub(crate) fn refresh(&self, addresses: &[IpAddr], now: OffsetDateTime) -> Result<(), AuthorityError> {
        let fresh = match &self.source {
            Source::Own(own) => show(own::load(own)?, None),
            Source::Authority(ca) => {
                if self.shown.read().leaf.as_ref().is_some_and(|leaf| leaf.serves(addresses, now)) {
                    return Ok(());
                }
                // Another process of this machine may have made it already.
                let leaf = Leaf::open(&self.dir, ca, &self.names, addresses, now)?;
                tracing::info!("showing a new certificate for this machine's addresses");
                show(leaf.certified_key(ca)?, Some(leaf))
            }
        };
        *self.shown.write() = fresh;
        Ok(())
    }

    /// SHA-256 of the certificate shown now.
    pub(crate) fn fingerprint(&self) -> String {
        self.shown.read().fingerprint.clone()
    }

    /// By which certificate this machine is known: the authority's, or the owner's own.
    pub(crate) fn pin(&self) -> Option<CertificatePin> {
        match &self.source {
            Source::Authority(ca) => Some(CertificatePin::of(ca.der())),
            Source::Own(_) => self.shown.read().key.cert.first().map(|own| CertificatePin::of(own)),
        }
    }

    /// The authority's certificate, if the certificates are its work: DER and PEM.
    pub(crate) fn certificate(&self) -> Option<(&[u8], &str)> {
        match &self.source {
            Source::Authority(ca) => Some((ca.der(), ca.pem())),
            Source::Own(_) => None,
        }
    }
}

/// The TLS side of a page that runs in a process of its own: shows the certificate of the coordinator with the same
/// state folder, and follows it as long as the runtime lives.
///
/// # Errors
/// [`AuthorityError`]: the certificates can be neither read nor made.
pub async fn page_tls(
    state_dir: PathBuf,
    host_name: &str,
    names: &[String],
    own: Option<OwnCertificate>,
) -> Result<Arc<ServerConfig>, AuthorityError> {
    let names = HostNames::new(host_name, names);
    let open = move || Authority::open(&state_dir, names, own, &own_addresses(), OffsetDateTime::now_utc());
    let authority = tokio::task::spawn_blocking(open).await.map_err(|_| AuthorityError::Interrupted)??;
    let tls = authority.tls();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(FOLLOW_PERIOD).await;
            if let Err(error) = authority.refresh(&own_addresses(), OffsetDateTime::now_utc()) {
                tracing::warn!(%error, "cannot renew the certificate; the old one stays in use");
            }
        }
    });
    Ok(tls)
}

fn show(key: CertifiedKey, leaf: Option<Leaf>) -> Shown {
    let fingerprint = key.cert.first().map(|cert| fingerprint(cert)).unwrap_or_default();
    Shown { key: Arc::new(key), fingerprint, leaf }
}

/// SHA-256 in pairs of hexadecimal digits, as browsers show it.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    let rustls::SupportedCipherSuite::Tls13(suite) = ring::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        return String::new();
    };
    let digest = suite.common.hash_provider.hash(der);
    let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// AES with 128-bit keys first: as strong as anyone needs, and the fastest where the processor has AES, which is the
/// server's to know. TLS 1.3 and 1.2.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| !suite.suite().as_str().is_some_and(|n| n.contains("AES_128")));
    provider
}

fn server_config(shown: Arc<RwLock<Shown>>) -> Result<Arc<ServerConfig>, AuthorityError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ShownCertificate(shown)));
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// Shows whatever certificate there is now, to every caller: an address has no name to choose by.
struct ShownCertificate(Arc<RwLock<Shown>>);

impl ResolvesServerCert for ShownCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().key))
    }
}

impl std::fmt::Debug for ShownCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShownCertificate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
    use time::Duration;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

    fn open(dir: &Path, addresses: &[IpAddr]) -> Authority {
        let names = HostNames::new("attic", &[]);
        Authority::open(dir, names, None, addresses, OffsetDateTime::now_utc()).unwrap()
    }

    /// Shakes hands in memory, as a browser that trusts the authority and asks for `name`.
    fn shake_hands(authority: &Authority, name: &str) -> Result<ServerConnection, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.certificate().unwrap().0.to_vec()))?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name)?;
        let mut server = ServerConnection::new(authority.tls())?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(server)
    }

    #[test]
    fn who_trusts_the_authority_trusts_this_machine_by_every_name() {
        let dir = tempfile::tempdir().unwrap();
        let public = "2001:db8::1".parse().unwrap();
        let authority = open(dir.path(), &[ADDRESS, public]);
        for (name, trusted) in [
            ("localhost", true),
            ("attic", true),
            ("attic.local", true),
            ("192.168.1.7", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("192.168.1.8", false),
            ("bank.example", false),
        ] {
            assert_eq!(shake_hands(&authority, name).is_ok(), trusted, "{name}");
        }
        let server = shake_hands(&authority, "attic").unwrap();
        assert_eq!(server.alpn_protocol(), Some(b"h2".as_slice()));
        let suite = server.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    }

    #[test]
    fn who_knows_only_the_pin_finds_the_authority_in_what_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let authority = open(dir.path(), &[ADDRESS]);
        for authority in [&authority, &open(dir.path(), &[ADDRESS])] {
            let shown: Vec<_> =
                authority.shown.read().key.cert.iter().map(|c| CertificatePin::of(c)).collect();
            assert_eq!(shown.len(), 2);
            assert_eq!(Some(shown[1]), authority.pin(), "made just now, or read from the disk");
        }
    }

    #[test]
    fn the_certificate_stays_until_addresses_or_time_ask_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), &[ADDRESS]).fingerprint();
        let authority = open(dir.path(), &[ADDRESS]);
        assert_eq!(authority.fingerprint(), first, "after a restart");
        let now = OffsetDateTime::now_utc();
        authority.refresh(&[], now).unwrap();
        assert_eq!(authority.fingerprint(), first, "an address went away");
        let moved: IpAddr = [10, 0, 0, 5].into();
        authority.refresh(&[moved], now).unwrap();
        let second = authority.fingerprint();
        assert_ne!(second, first);
        assert!(shake_hands(&authority, "10.0.0.5").is_ok(), "new connections see it at once");
        authority.refresh(&[moved], now + Duration::days(360)).unwrap();
        assert_eq!(authority.fingerprint(), second);
        authority.refresh(&[moved], now + Duration::days(367)).unwrap();
        assert_ne!(authority.fingerprint(), second, "its time is nearly over");
    }

    #[test]
    fn the_owner_s_own_certificate_is_shown_or_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let pair = |name: &str| {
            let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
            let (chain, key) =
                (dir.path().join(format!("{name}.crt")), dir.path().join(format!("{name}.key")));
            std::fs::write(&chain, made.cert.pem()).unwrap();
            std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            (OwnCertificate { chain, key }, fingerprint(made.cert.der()))
        };
        let (own, print) = pair("files.example.org");
        let (other, _) = pair("other.example.org");
        let open = |own: OwnCertificate| {
            let names = HostNames::new("attic", &[]);
            Authority::open(dir.path(), names, Some(own), &[], OffsetDateTime::now_utc())
        };
        let authority = open(own.clone()).unwrap();
        assert_eq!(authority.fingerprint(), print);
        assert!(authority.certificate().is_none());
        assert_eq!(authority.pin(), Some(CertificatePin::of(&authority.shown.read().key.cert[0])));
        let mixed = OwnCertificate { key: other.key, ..own.clone() };
        assert!(matches!(open(mixed), Err(AuthorityError::Mismatch(_))));
        let swapped = OwnCertificate { chain: own.key.clone(), ..own.clone() };
        assert!(matches!(open(swapped), Err(AuthorityError::NoCertificate(_))));
        let missing = OwnCertificate { key: dir.path().join("none"), ..own };
        assert!(matches!(open(missing), Err(AuthorityError::Read { .. })));
    }
}
