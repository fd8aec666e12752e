//! The cloud's own certificate authority: made once, kept with the state, renewed before it runs out.

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(super) const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";
/// Holds the second since the epoch at which the authority ends.
const UNTIL: &str = "until";

const DAY: Duration = Duration::from_hours(24);
/// Some clients refuse a certificate that is valid for longer.
const LIFE: Duration = Duration::from_hours(24 * 397);
/// An authority with less to live is replaced.
const LEAST: Duration = Duration::from_hours(24 * 30);

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub(super) pem: String,
    until: Duration,
}

/// A certificate of this machine, and its key.
pub(super) struct Leaf {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// The authority that the folder keeps, or a new one where there is none, or none that lives long enough.
pub(super) fn open(folder: &Path, now: Duration) -> io::Result<Authority> {
    match read(folder) {
        Some(kept) if kept.until > now + LEAST => Ok(kept),
        _ => make(folder, now),
    }
}

/// What is missing or damaged is made anew.
fn read(folder: &Path) -> Option<Authority> {
    let text = |name| fs::read_to_string(folder.join(name)).ok();
    let until = Duration::from_secs(text(UNTIL)?.trim().parse().ok()?);
    let key = KeyPair::from_pem(&text(KEY)?).ok()?;
    let pem = text(CERTIFICATE)?;
    Some(Authority {
        issuer: Issuer::new(about(), key),
        pem,
        until,
    })
}

fn make(folder: &Path, now: Duration) -> io::Result<Authority> {
    let until = now + LIFE;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = about();
    valid(&mut params, now, until);
    let pem = params.self_signed(&key).map_err(io::Error::other)?.pem();
    // The end comes last: what a kill leaves without one is made anew.
    fs::remove_file(folder.join(UNTIL)).or_else(absent)?;
    keep(folder, KEY, &key.serialize_pem())?;
    keep(folder, CERTIFICATE, &pem)?;
    keep(folder, UNTIL, &until.as_secs().to_string())?;
    Ok(Authority {
        issuer: Issuer::new(params, key),
        pem,
        until,
    })
}

fn absent(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

/// Writes a file at once; nobody else can read it.
fn keep(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name)).map_err(|e| e.error)?;
    Ok(())
}

/// The authority, but for its dates. Whoever trusts it trusts it for these names and no others.
fn about() -> CertificateParams {
    let mut params = CertificateParams::default();
    let name = "msgai local cloud (this machine only)";
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let names = ["localhost", "amazonaws.com"].map(|name| GeneralSubtree::DnsName(name.to_owned()));
    let addresses = [
        (IpAddr::V4(Ipv4Addr::LOCALHOST), 32),
        (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    ]
    .map(|(address, bits)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits)));
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.into_iter().chain(addresses).collect(),
        excluded_subtrees: Vec::new(),
    });
    params
}

impl Authority {
    /// A certificate for these names, as long as the authority's own.
    pub(super) fn certify(&self, names: Vec<String>, now: Duration) -> io::Result<Leaf> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "msgai local cloud");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, self.until);
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(io::Error::other)?;
        Ok(Leaf {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?,
        })
    }
}

/// From the day before `now`, because clocks differ, to the day of `until`.
fn valid(params: &mut CertificateParams, now: Duration, until: Duration) {
    let (year, month, day) = date(now.saturating_sub(DAY));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = date(until);
    params.not_after = rcgen::date_time_ymd(year, month, day);
}

fn date(moment: Duration) -> (i32, u8, u8) {
    let seconds = i64::try_from(moment.as_secs()).unwrap_or(i64::MAX);
    let date = Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::MAX)
        .to_zoned(TimeZone::UTC)
        .date();
    let number = |n: i8| u8::try_from(n).unwrap_or(1);
    (date.year().into(), number(date.month()), number(date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_hours(24 * 20_000);

    #[test]
    fn an_authority_is_kept_until_it_is_about_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let open = |now| open(folder.path(), now).unwrap().pem;
        let first = open(NOW);
        let last = NOW + LIFE.saturating_sub(LEAST);
        assert_eq!(open(last.saturating_sub(DAY)), first);
        let second = open(last);
        assert_ne!(second, first);
        fs::write(folder.path().join(KEY), "nonsense").unwrap();
        assert_ne!(open(NOW + LIFE), second, "what is damaged is made anew");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_its_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), NOW).unwrap();
        let mode = fs::metadata(folder.path().join(KEY)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
