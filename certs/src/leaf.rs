//! What a leaf looks like, and the minting of one. Its cache is [`crate::cache`].

use std::net::IpAddr;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};

/// Why a host got no leaf.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Neither a DNS name nor an IP address; a wildcard and a trailing dot are neither.
    #[error("`{0}` is not a host that a certificate can be for")]
    NotAHost(String),
    /// The certificate could not be made.
    #[error("cannot mint a certificate")]
    Mint(#[source] rcgen::Error),
}

/// The one host a leaf is for.
pub(crate) struct Subject {
    common_name: Option<String>,
    alternative_name: SanType,
}

impl Subject {
    pub(crate) fn parse(host: &str) -> Result<Self, LeafError> {
        let not_a_host = || LeafError::NotAHost(host.to_owned());
        let alternative_name = match ServerName::try_from(host).map_err(|_| not_a_host())? {
            ServerName::DnsName(_) if host.ends_with('.') => return Err(not_a_host()),
            ServerName::DnsName(_) => SanType::DnsName(Ia5String::try_from(host).map_err(|_| not_a_host())?),
            ServerName::IpAddress(address) => SanType::IpAddress(IpAddr::from(address)),
            _ => return Err(not_a_host()),
        };
        // RFC 5280, ub-common-name: 64. Only people read it; clients compare the alternative name.
        let common_name = (host.len() <= 64).then(|| host.to_owned());
        Ok(Self {
            common_name,
            alternative_name,
        })
    }
}

/// Signs leaves: the CA's key, and the one key that all leaves of this process share.
pub(crate) struct Minter {
    issuer: Issuer<'static, KeyPair>,
    leaf_key: KeyPair,
    leaf_signer: Arc<dyn SigningKey>,
}

impl Minter {
    /// Generates the leaf key.
    pub(crate) fn new(issuer: Issuer<'static, KeyPair>) -> Result<Self, rcgen::Error> {
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let leaf_signer = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&der)
            .expect("the P-256 key that was just generated is one that rustls takes");
        Ok(Self {
            issuer,
            leaf_key,
            leaf_signer,
        })
    }

    pub(crate) fn mint(&self, subject: &Subject) -> Result<Arc<CertifiedKey>, LeafError> {
        let certificate = parameters(subject)
            .and_then(|parameters| parameters.signed_by(&self.leaf_key, &self.issuer))
            .map_err(LeafError::Mint)?;
        Ok(Arc::new(CertifiedKey::new(
            vec![certificate.into()],
            Arc::clone(&self.leaf_signer),
        )))
    }
}

fn parameters(subject: &Subject) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(name) = &subject.common_name {
        parameters
            .distinguished_name
            .push(DnType::CommonName, name.as_str());
    }
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, "Outwall");
    parameters.subject_alt_names = vec![subject.alternative_name.clone()];
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true; // strict verifiers (Python 3.13) demand it
    parameters.serial_number = Some(random_serial()?);
    // Well in the past: a sandbox's clock may be wrong or set back on purpose (reproducible builds). In all less than the 398 days
    // that some clients allow a server's certificate.
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    valid(
        &mut parameters,
        today.saturating_sub(300.days()),
        today.saturating_add(90.days()),
    );
    Ok(parameters)
}

/// 16 random bytes, positive and of constant length (RFC 5280 section 4.1.2.2). Unique, as clients cache by issuer and serial.
pub(crate) fn random_serial() -> Result<SerialNumber, rcgen::Error> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// From midnight to midnight, UTC.
pub(crate) fn valid(parameters: &mut CertificateParams, from: Date, until: Date) {
    let field = |value: i8| u8::try_from(value).expect("months and days are positive");
    let midnight =
        |date: Date| rcgen::date_time_ymd(date.year().into(), field(date.month()), field(date.day()));
    parameters.not_before = midnight(from);
    parameters.not_after = midnight(until);
}
