//! The computations of NTLMv2 ([MS-NLMP] sections 3.3.2, 3.4.2 and 3.1.5.1.2) and the hash of a channel (RFC 5929, RFC 2744 section 3.11).

use hmac::{Hmac, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};

/// Units of 100 ns since 1601-01-01, as Windows counts time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime(pub u64);

impl FileTime {
    /// Out of milliseconds since 1970. What lies before 1601 is 1601.
    pub fn from_unix_ms(ms: i64) -> Self {
        /// Milliseconds from 1601 to 1970.
        const EPOCH: i64 = 11_644_473_600_000;
        let ms = u64::try_from(ms.saturating_add(EPOCH)).unwrap_or(0);
        Self(ms.saturating_mul(10_000))
    }
}

/// UTF-16, little end first.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Upper case as Windows does it: one character for one.
fn upper(text: &str) -> String {
    let one = |c: char| {
        let mut up = c.to_uppercase();
        match (up.next(), up.next()) {
            (Some(only), None) => only,
            _ => c,
        }
    };
    text.chars().map(one).collect()
}

pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// NTOWFv2: what stands for the password.
pub(super) fn owf(password: &str, user: &str, domain: &str) -> [u8; 16] {
    let hash: [u8; 16] = Md4::digest(utf16(password)).into();
    hmac_md5(&hash, &[&utf16(&upper(user)), &utf16(domain)])
}

/// What the client adds to the challenge: `temp` of [MS-NLMP] 3.3.2.
pub(super) fn temp(time: FileTime, nonce: [u8; 8], target_info: &[u8]) -> Vec<u8> {
    let mut out = vec![1, 1, 0, 0, 0, 0, 0, 0];
    out.extend(time.0.to_le_bytes());
    out.extend(nonce);
    out.extend([0; 4]);
    out.extend_from_slice(target_info);
    out.extend([0; 4]);
    out
}

/// The proof, and the session key that follows from it.
pub(super) fn proof(key: &[u8; 16], server: [u8; 8], temp: &[u8]) -> ([u8; 16], [u8; 16]) {
    let proof = hmac_md5(key, &[&server, temp]);
    (proof, hmac_md5(key, &[&proof]))
}

/// LMv2.
pub(super) fn lm(key: &[u8; 16], server: [u8; 8], nonce: [u8; 8]) -> Vec<u8> {
    let mut out = hmac_md5(key, &[&server, &nonce]).to_vec();
    out.extend(nonce);
    out
}

/// MD5 over the channel bindings with `tls-server-end-point:` and the certificate's hash as application data and no addresses.
pub(super) fn channel(end_point: &[u8]) -> [u8; 16] {
    let mut data = b"tls-server-end-point:".to_vec();
    data.extend_from_slice(end_point);
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = Md5::new();
    hash.update([0; 16]);
    hash.update(len.to_le_bytes());
    hash.update(&data);
    hash.finalize().into()
}
