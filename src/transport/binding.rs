//! What names a TLS channel: the certificate's fingerprint, and the hash of it that Extended Protection binds a sign-in to (RFC 5929 section 4,
//! `tls-server-end-point`). Pure.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The contents octets of the signature algorithms whose hash is not SHA-256, and of RSASSA-PSS, whose hash is in its parameters.
const SHA384_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const SHA512_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const SHA384_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const SHA512_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];

/// The hash algorithms themselves, as they stand in the parameters of RSASSA-PSS.
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];

/// SHA-256 of a certificate in DER.
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// The `tls-server-end-point` value of a server's certificate: hashed with the hash of its signature, where MD5 and SHA-1 count as SHA-256.
pub fn end_point(certificate: &[u8]) -> Vec<u8> {
    let algorithm = signature_algorithm(certificate).unwrap_or_default();
    let (oid, parameters) = tlv(algorithm).map_or((&[][..], &[][..]), |(_, oid, rest)| (oid, rest));
    let names = |oid: &[u8]| contains(parameters, oid);
    if oid == SHA384_RSA || oid == SHA384_ECDSA || (oid == PSS && names(SHA384)) {
        Sha384::digest(certificate).to_vec()
    } else if oid == SHA512_RSA || oid == SHA512_ECDSA || (oid == PSS && names(SHA512)) {
        Sha512::digest(certificate).to_vec()
    } else {
        Sha256::digest(certificate).to_vec()
    }
}

/// The contents of the outer `signatureAlgorithm` of a certificate: SEQUENCE { tbs, signatureAlgorithm, signature } (RFC 5280 section 4.1).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (_, inside, _) = tlv(certificate)?;
    let (_, _, rest) = tlv(inside)?;
    let (_, algorithm, _) = tlv(rest)?;
    Some(algorithm)
}

/// Tag, contents and what follows of the first element of DER bytes.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(*first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), rest)
    };
    let (contents, after) = rest.split_at_checked(len)?;
    Some((*tag, contents, after))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A hash as people write it: two digits a byte, with colons.
pub fn colons(hash: &[u8]) -> String {
    let digits: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(contents: &[u8]) -> Vec<u8> {
        let mut out = vec![0x30];
        if contents.len() < 0x80 {
            out.push(u8::try_from(contents.len()).unwrap());
        } else {
            out.push(0x82);
            out.extend(u16::try_from(contents.len()).unwrap().to_be_bytes());
        }
        out.extend_from_slice(contents);
        out
    }

    fn oid(contents: &[u8]) -> Vec<u8> {
        let mut out = vec![0x06, u8::try_from(contents.len()).unwrap()];
        out.extend_from_slice(contents);
        out
    }

    /// A certificate of which only the outline is right.
    fn signed_with(algorithm: &[u8]) -> Vec<u8> {
        seq(&[seq(&[7; 300]), seq(algorithm), vec![0x03, 0x01, 0x00]].concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_at_least_sha_256() {
        const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
        const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        let pss = |hash: &[u8]| [oid(PSS), seq(&seq(&oid(hash)))].concat();
        for (algorithm, len) in [
            (oid(SHA1_RSA), 32),
            (oid(SHA256_RSA), 32),
            (oid(SHA384_RSA), 48),
            (oid(SHA512_RSA), 64),
            (oid(SHA384_ECDSA), 48),
            (oid(SHA512_ECDSA), 64),
            (pss(SHA384), 48),
            (pss(SHA512), 64),
            (oid(PSS), 32),
        ] {
            let certificate = signed_with(&algorithm);
            let hash = end_point(&certificate);
            assert_eq!(hash.len(), len, "{algorithm:02x?}");
            if len == 32 {
                assert_eq!(hash, fingerprint(&certificate));
            }
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_still_have_a_name() {
        for bytes in [
            &b""[..],
            b"\x30",
            b"\x30\x85\x01\x01\x01\x01\x01",
            b"\x30\x02\x30\x80",
        ] {
            assert_eq!(end_point(bytes).len(), 32);
        }
        assert_eq!(colons(&[0, 10, 255]), "00:0A:FF");
    }
}
