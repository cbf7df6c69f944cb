//! Signatures by SSH keys: the SSHSIG format of OpenSSH (PROTOCOL.sshsig), so that `ssh-keygen -Y verify` accepts ours and we accept those of
//! `ssh-keygen -Y sign`.
//!
//! Signed with: Ed25519 and ECDSA P-256 keys. Verified: those, their hardware-backed forms (sk-), and RSA of 2048 bits and more. An RSA private
//! key is never used here: the pure Rust implementation leaks timing (RUSTSEC-2023-0071). Whoever has one, or a key on a token,
//! signs by way of an agent ([`super::agent`]) or with `ssh-keygen -Y sign`.

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
};
use sha2::{Digest as _, Sha256};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use thiserror::Error;

use super::merkle::hex;

/// What a signature over a pack is made for.
pub const PACK: &str = "mailferry-pack";

/// What the signature of the one who asks for a waiver is made for.
pub const REQUEST: &str = "mailferry-waiver-request";

/// What the signature of the one who grants a waiver is made for.
pub const APPROVAL: &str = "mailferry-waiver-approval";

/// A signature file larger than this is none: an RSA key of 16,384 bits makes one of 6 KB.
pub const FILE_MAX: usize = 16_384;

/// The flag of a hardware-backed signature that says somebody touched the token.
const USER_PRESENT: u8 = 1;

/// Why a signature does not count, or could not be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SignatureFault {
    /// Not the armour and the encoding that OpenSSH writes.
    #[error("no SSH signature in the form OpenSSH writes it")]
    Unreadable,
    /// Made for something else.
    #[error("made for the namespace {found:?}, not {wanted:?}")]
    Namespace {
        /// What it says.
        found: String,
        /// What it should say.
        wanted: &'static str,
    },
    /// It does not fit the document.
    #[error("does not fit the document: one of them was changed")]
    Wrong,
    /// A kind of key that is not supported here.
    #[error("a key of the kind {0} is not supported here")]
    Unsupported(String),
    /// The private key cannot be read.
    #[error("no OpenSSH private key")]
    NoKey,
    /// The key is encrypted and the passphrase does not open it.
    #[error("the passphrase does not open the key")]
    Passphrase,
}

/// A signature that fits its document. Whose key it is, a list of signers says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    key: KeyData,
}

impl Signed {
    /// The key it was made with.
    pub const fn key(&self) -> &KeyData {
        &self.key
    }

    /// The key's fingerprint as OpenSSH prints it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.key)
    }

    /// The name of the key's signature file inside a pack.
    pub fn file_name(&self) -> String {
        file_name(&self.key)
    }
}

/// A key's fingerprint as OpenSSH prints it (`SHA256:...`).
pub fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The name of a key's signature file: half of its fingerprint in hexadecimal, since base64 does not make file names.
pub fn file_name(key: &KeyData) -> String {
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    format!("{}.sig", hex(&fingerprint.as_bytes()[..16]))
}

/// Checks that `armour` is a signature over `document`, made for `namespace`, with no byte that could be otherwise.
pub fn verify(
    document: &[u8],
    armour: &[u8],
    namespace: &'static str,
) -> Result<Signed, SignatureFault> {
    let signature = read(armour)?;
    if signature.namespace() != namespace {
        return Err(SignatureFault::Namespace {
            found: signature.namespace().chars().take(80).collect(),
            wanted: namespace,
        });
    }
    let key = signature.public_key().clone();
    match &key {
        KeyData::Rsa(_) => verify_rsa(document, &signature)?,
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            // The last five bytes are the flags and the token's counter.
            let bytes = signature.signature_bytes();
            let flags = bytes.len().checked_sub(5).map(|at| bytes[at]);
            if flags.is_none_or(|flags| flags & USER_PRESENT == 0) {
                return Err(SignatureFault::Wrong);
            }
            verify_with_crate(&key, document, &signature)?;
        }
        _ => verify_with_crate(&key, document, &signature)?,
    }
    Ok(Signed { key })
}

/// Reads an armoured signature. Only the one spelling OpenSSH writes is read, so that no byte of the file is free.
pub fn read(armour: &[u8]) -> Result<SshSig, SignatureFault> {
    if armour.len() > FILE_MAX {
        return Err(SignatureFault::Unreadable);
    }
    let signature = SshSig::from_pem(armour).map_err(|_| SignatureFault::Unreadable)?;
    let same = signature
        .to_pem(LineEnding::LF)
        .is_ok_and(|text| text.as_bytes() == armour);
    if !same || !signature.reserved().is_empty() || signature.version() != SshSig::VERSION {
        return Err(SignatureFault::Unreadable);
    }
    Ok(signature)
}

fn verify_with_crate(
    key: &KeyData,
    document: &[u8],
    signature: &SshSig,
) -> Result<(), SignatureFault> {
    match key {
        KeyData::Ed25519(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {}
        KeyData::Ecdsa(key) if key.curve() == ssh_key::EcdsaCurve::NistP256 => {}
        other => return Err(SignatureFault::Unsupported(other.algorithm().to_string())),
    }
    PublicKey::from(key.clone())
        .verify(signature.namespace(), document, signature)
        .map_err(|_| SignatureFault::Wrong)
}

fn verify_rsa(document: &[u8], signature: &SshSig) -> Result<(), SignatureFault> {
    let KeyData::Rsa(key) = signature.public_key() else {
        return Err(SignatureFault::Wrong);
    };
    let algorithm = match signature.algorithm() {
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        } => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        } => &RSA_PKCS1_2048_8192_SHA256,
        // With SHA-1, which OpenSSH no longer makes.
        other => return Err(SignatureFault::Unsupported(other.to_string())),
    };
    let data = SshSig::signed_data(signature.namespace(), signature.hash_alg(), document)
        .map_err(|_| SignatureFault::Unreadable)?;
    let positive = |number: &ssh_key::Mpint| number.as_positive_bytes().map(<[u8]>::to_vec);
    let (Some(n), Some(e)) = (positive(&key.n), positive(&key.e)) else {
        return Err(SignatureFault::Unreadable);
    };
    RsaPublicKeyComponents { n, e }
        .verify(algorithm, &data, signature.signature_bytes())
        .map_err(|_| SignatureFault::Wrong)
}

/// A private key, ready to sign.
#[derive(Debug)]
pub struct SigningKey(PrivateKey);

/// A private key as it was read.
#[derive(Debug)]
pub enum ReadKey {
    /// It can sign.
    Ready(SigningKey),
    /// It needs its passphrase.
    Locked(LockedKey),
}

/// An encrypted private key.
#[derive(Debug)]
pub struct LockedKey(PrivateKey);

impl LockedKey {
    /// Opens it. Slow on purpose: the key file says how slow.
    pub fn open(&self, passphrase: &str) -> Result<SigningKey, SignatureFault> {
        let key = self
            .0
            .decrypt(passphrase)
            .map_err(|_| SignatureFault::Passphrase)?;
        usable(key)
    }
}

/// Reads a private key in OpenSSH's format.
pub fn read_key(text: &[u8]) -> Result<ReadKey, SignatureFault> {
    let key = PrivateKey::from_openssh(text).map_err(|_| SignatureFault::NoKey)?;
    if key.is_encrypted() {
        return Ok(ReadKey::Locked(LockedKey(key)));
    }
    usable(key).map(ReadKey::Ready)
}

fn usable(key: PrivateKey) -> Result<SigningKey, SignatureFault> {
    match key.algorithm() {
        Algorithm::Ed25519
        | Algorithm::Ecdsa {
            curve: ssh_key::EcdsaCurve::NistP256,
        } => Ok(SigningKey(key)),
        other => Err(SignatureFault::Unsupported(other.to_string())),
    }
}

impl SigningKey {
    /// Signs. The same document and key give the same bytes, since both algorithms draw no number.
    pub fn sign(&self, document: &[u8], namespace: &str) -> Result<String, SignatureFault> {
        self.0
            .sign(namespace, HashAlg::Sha512, document)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|_| SignatureFault::NoKey)
    }

    /// Its public half.
    pub fn public(&self) -> &KeyData {
        self.0.public_key().key_data()
    }
}

/// SHA-256 of a document in hexadecimal.
pub fn sha256(document: &[u8]) -> String {
    hex(&Sha256::digest(document))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
        let text = PrivateKey::from(pair).to_openssh(LineEnding::LF).unwrap();
        match read_key(text.as_bytes()).unwrap() {
            ReadKey::Ready(key) => key,
            ReadKey::Locked(_) => panic!("the key has no passphrase"),
        }
    }

    #[test]
    fn what_was_signed_verifies_and_nothing_else_does() {
        let key = key();
        let armour = key.sign(b"pack", PACK).unwrap();
        let signed = verify(b"pack", armour.as_bytes(), PACK).unwrap();
        assert_eq!(signed.key(), key.public());
        assert_eq!(
            verify(b"pack!", armour.as_bytes(), PACK),
            Err(SignatureFault::Wrong)
        );
        assert!(matches!(
            verify(b"pack", armour.as_bytes(), APPROVAL),
            Err(SignatureFault::Namespace { .. })
        ));
        assert_eq!(key.sign(b"pack", PACK).unwrap(), armour);
    }

    #[test]
    fn no_byte_of_a_signature_file_is_free() {
        let armour = key().sign(b"pack", PACK).unwrap().into_bytes();
        for at in 0..armour.len() {
            for flip in [1, 0x20, 0x80] {
                let mut bytes = armour.clone();
                bytes[at] ^= flip;
                assert!(verify(b"pack", &bytes, PACK).is_err(), "byte {at} ^ {flip}");
            }
        }
        for other in [&armour[..armour.len() - 1], &[&armour[..], b"\n"].concat()] {
            assert!(verify(b"pack", other, PACK).is_err());
        }
    }
}
