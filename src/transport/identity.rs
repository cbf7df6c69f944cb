//! A certificate of our own with its key: for servers that want one, and for signing the assertion that Microsoft 365 takes in place of a secret.
//! Read from PEM (also with an encrypted key) or PFX; the bytes come from whoever reads files.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
#[cfg(any(feature = "legacy-tls", test))]
use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// A certificate chain, ours first, and its private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why there is no identity.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum IdentityFault {
    /// No certificate in it.
    #[error("it holds no certificate")]
    NoCertificate,
    /// No key in it.
    #[error("it holds no private key")]
    NoKey,
    /// The key is encrypted and no password was given.
    #[error("its private key is encrypted and no password is given")]
    NeedsPassword,
    /// The password is wrong.
    #[error("the password does not open it")]
    WrongPassword,
    /// Neither PEM nor PFX.
    #[error("it is neither PEM nor PFX")]
    NotReadable,
    /// The key belongs to another certificate.
    #[error("its private key does not belong to its first certificate")]
    OtherKey,
    /// Only RSA keys sign assertions.
    #[error("its key is not RSA (2,048 to 8,192 bits), which this use needs")]
    NotRsa,
}

impl Identity {
    /// Reads a PEM or PFX file's bytes.
    pub fn read(bytes: &[u8], password: Option<&Secret>) -> Result<Self, IdentityFault> {
        if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
            Self::from_pem(bytes, password)
        } else {
            Self::from_pfx(bytes, password)
        }
    }

    fn from_pem(bytes: &[u8], password: Option<&Secret>) -> Result<Self, IdentityFault> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
        let chain = chain.map_err(|_| IdentityFault::NotReadable)?;
        let key = match encrypted_key(bytes) {
            Some(encrypted) => {
                let password = password.ok_or(IdentityFault::NeedsPassword)?;
                decrypt(encrypted, password)?
            }
            None => PrivateKeyDer::from_pem_slice(bytes).map_err(|_| IdentityFault::NoKey)?,
        };
        Self::of(chain, key)
    }

    fn from_pfx(bytes: &[u8], password: Option<&Secret>) -> Result<Self, IdentityFault> {
        // An ASN.1 SEQUENCE, or nothing we know.
        if bytes.first() != Some(&0x30) {
            return Err(IdentityFault::NotReadable);
        }
        let word = password.map_or("", Secret::expose);
        let store =
            p12_keystore::KeyStore::from_pkcs12(bytes, word).map_err(|_| match password {
                Some(_) => IdentityFault::WrongPassword,
                None => IdentityFault::NeedsPassword,
            })?;
        let (_, found) = store.private_key_chain().ok_or(IdentityFault::NoKey)?;
        let chain = found.chain().iter();
        let chain = chain.map(|one| CertificateDer::from(one.as_der().to_vec()));
        let key = PrivatePkcs8KeyDer::from(found.key().to_vec());
        Self::of(chain.collect(), PrivateKeyDer::Pkcs8(key))
    }

    fn of(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, IdentityFault> {
        let own = chain.first().ok_or(IdentityFault::NoCertificate)?;
        // An RSA public key stands in its certificate as it is; keys of other kinds are compared by the TLS library when they are used.
        if let Some(pair) = rsa(&key) {
            let public: &[u8] = pair.public().as_ref();
            if !own.windows(public.len()).any(|window| window == public) {
                return Err(IdentityFault::OtherKey);
            }
        }
        Ok(Self { chain, key })
    }

    /// Our certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        self.chain.first().map_or(&[], |own| own.as_ref())
    }

    /// The whole chain.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// The key.
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    /// Signs with RSASSA-PSS and SHA-256 (PS256 of RFC 7518).
    pub fn sign_ps256(&self, message: &[u8]) -> Result<Vec<u8>, IdentityFault> {
        let pair = rsa(&self.key).ok_or(IdentityFault::NotRsa)?;
        let mut signature = vec![0; pair.public().modulus_len()];
        let dice = SystemRandom::new();
        pair.sign(&RSA_PSS_SHA256, &dice, message, &mut signature)
            .map_err(|_| IdentityFault::NotRsa)?;
        Ok(signature)
    }

    /// True when [`Self::sign_ps256`] works.
    pub fn can_sign(&self) -> bool {
        rsa(&self.key).is_some()
    }
}

/// A key in the form of RFC 5208, the only one that the systems' libraries take. An RSA key of the older form (`BEGIN RSA PRIVATE KEY`) is put into it as it
/// is; nothing for other kinds.
#[cfg(any(feature = "legacy-tls", test))]
pub(super) fn pkcs8_of(key: &PrivateKeyDer<'_>) -> Option<Zeroizing<Vec<u8>>> {
    use pkcs8::der::Encode as _;
    use pkcs8::der::asn1::AnyRef;
    const RSA: pkcs8::ObjectIdentifier =
        pkcs8::ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    match key {
        PrivateKeyDer::Pkcs8(key) => Some(Zeroizing::new(key.secret_pkcs8_der().to_vec())),
        PrivateKeyDer::Pkcs1(key) => {
            let algorithm = pkcs8::AlgorithmIdentifierRef {
                oid: RSA,
                parameters: Some(AnyRef::NULL),
            };
            let info = pkcs8::PrivateKeyInfo::new(algorithm, key.secret_pkcs1_der());
            info.to_der().ok().map(Zeroizing::new)
        }
        _ => None,
    }
}

fn rsa(key: &PrivateKeyDer<'static>) -> Option<RsaKeyPair> {
    match key {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
        _ => None,
    }
}

const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// The part of a PEM file that holds an encrypted key.
fn encrypted_key(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let from = text.find(ENCRYPTED)?;
    let len = text[from..].find(ENCRYPTED_END)? + ENCRYPTED_END.len();
    Some(&text[from..from + len])
}

fn decrypt(pem: &str, password: &Secret) -> Result<PrivateKeyDer<'static>, IdentityFault> {
    let (_, document) =
        pkcs8::SecretDocument::from_pem(pem).map_err(|_| IdentityFault::NotReadable)?;
    let info = pkcs8::EncryptedPrivateKeyInfo::try_from(document.as_bytes())
        .map_err(|_| IdentityFault::NotReadable)?;
    let key = info
        .decrypt(password.expose())
        .map_err(|_| IdentityFault::WrongPassword)?;
    Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
        key.as_bytes().to_vec(),
    )))
}

/// The certificates of a PEM file, or the one of a DER file; empty where it holds none.
pub fn certificates(bytes: &[u8]) -> Vec<Vec<u8>> {
    let found: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(bytes)
        .filter_map(Result::ok)
        .map(|one| one.as_ref().to_vec())
        .collect();
    if found.is_empty() && bytes.first() == Some(&0x30) {
        return vec![bytes.to_vec()];
    }
    found
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain(),
            key: self.key(),
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivatePkcs1KeyDer;

    use super::*;

    #[test]
    fn an_rsa_key_of_the_older_form_becomes_the_key_it_is() {
        let pem = include_bytes!("../../tests/data/certificates/app.pem");
        let newer = PrivateKeyDer::from_pem_slice(pem).unwrap();
        let whole = newer.secret_der().to_vec();
        let inner = pkcs8::PrivateKeyInfo::try_from(whole.as_slice()).unwrap();
        let older = PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(inner.private_key.to_vec()));
        for key in [&older, &newer] {
            assert_eq!(pkcs8_of(key).unwrap().as_slice(), whole);
        }
    }
}
