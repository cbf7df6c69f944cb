//! The one question asked of an SSH agent: sign this with that key. Bytes only; whoever calls has the socket.
//!
//! The messages are those of draft-ietf-sshm-ssh-agent (OpenSSH's PROTOCOL.agent): a length of four bytes, a number, and strings that bear their
//! length before them. The key itself, on a token or in the agent, is never seen here.

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PublicKey, Signature, SshSig};
use thiserror::Error;

/// SSH_AGENTC_SIGN_REQUEST.
const SIGN_REQUEST: u8 = 13;

/// SSH_AGENT_SIGN_RESPONSE.
const SIGN_RESPONSE: u8 = 14;

/// SSH_AGENT_RSA_SHA2_512: an RSA key signs with SHA-512; without it, with SHA-1.
const RSA_SHA2_512: u32 = 4;

/// An answer longer than this is none: OpenSSH's agent sends no more (PROTOCOL.agent: 256 KB), and a signature of the largest RSA key has 2 KB.
pub const ANSWER_MAX: usize = 262_144;

/// Why an agent signed nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AgentFault {
    /// It refuses.
    #[error(
        "the agent does not sign with this key: it does not hold it, is locked, or somebody declined"
    )]
    Refused,
    /// It says something else.
    #[error("the agent's answer cannot be read")]
    Unreadable,
    /// No public key.
    #[error("no OpenSSH public key")]
    NoKey,
}

/// A signature to be made by an agent.
#[derive(Clone, Debug)]
pub struct Asked {
    key: KeyData,
    namespace: &'static str,
    message: Vec<u8>,
}

/// Reads a public key as `ssh-keygen` writes it beside a private one.
pub fn read_public(text: &str) -> Result<KeyData, AgentFault> {
    PublicKey::from_openssh(text.trim())
        .map(|key| key.key_data().clone())
        .map_err(|_| AgentFault::NoKey)
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), AgentFault> {
    let length = u32::try_from(bytes.len()).map_err(|_| AgentFault::Unreadable)?;
    out.extend(length.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

/// The first string, and what follows it.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

impl Asked {
    /// To sign a document for a purpose.
    pub fn new(key: KeyData, document: &[u8], namespace: &'static str) -> Result<Self, AgentFault> {
        let signed = SshSig::signed_data(namespace, HashAlg::Sha512, document)
            .map_err(|_| AgentFault::Unreadable)?;
        let blob = PublicKey::from(key.clone())
            .to_bytes()
            .map_err(|_| AgentFault::NoKey)?;
        let mut body = vec![SIGN_REQUEST];
        string(&mut body, &blob)?;
        string(&mut body, &signed)?;
        let flags = match key {
            KeyData::Rsa(_) => RSA_SHA2_512,
            _ => 0,
        };
        body.extend(flags.to_be_bytes());
        let mut message = Vec::with_capacity(body.len() + 4);
        string(&mut message, &body)?;
        Ok(Self {
            key,
            namespace,
            message,
        })
    }

    /// What goes to the agent.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The armoured signature out of the agent's answer, without the length before it. Whether it fits the document,
    /// [`super::sshsig::verify`] says.
    pub fn armour(&self, answer: &[u8]) -> Result<String, AgentFault> {
        let (number, rest) = answer.split_first().ok_or(AgentFault::Unreadable)?;
        if *number != SIGN_RESPONSE {
            return Err(AgentFault::Refused);
        }
        let (blob, after) = take(rest).ok_or(AgentFault::Unreadable)?;
        let signature = Signature::try_from(blob).map_err(|_| AgentFault::Unreadable)?;
        let weak = signature.algorithm() == Algorithm::Rsa { hash: None };
        if !after.is_empty() || weak {
            return Err(AgentFault::Unreadable);
        }
        SshSig::new(self.key.clone(), self.namespace, HashAlg::Sha512, signature)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|_| AgentFault::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::sshsig::{PACK, ReadKey, read_key, verify};

    fn pair() -> ssh_key::PrivateKey {
        ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]).into()
    }

    /// What an agent that holds the key answers.
    fn answer(message: &[u8]) -> Vec<u8> {
        let (body, rest) = take(message).unwrap();
        assert!(rest.is_empty() && body[0] == SIGN_REQUEST);
        let (key, rest) = take(&body[1..]).unwrap();
        assert_eq!(key, pair().public_key().to_bytes().unwrap());
        let (data, flags) = take(rest).unwrap();
        assert_eq!(flags, [0; 4]);
        assert_eq!(
            data,
            SshSig::signed_data(PACK, HashAlg::Sha512, b"pack").unwrap()
        );
        let whole = SshSig::sign(&pair(), PACK, HashAlg::Sha512, b"pack").unwrap();
        let signature = whole.signature().clone();
        let mut out = vec![SIGN_RESPONSE];
        string(&mut out, &Vec::<u8>::try_from(signature).unwrap()).unwrap();
        out
    }

    #[test]
    fn an_agent_signs_as_the_key_itself_would() {
        let text = pair().public_key().to_openssh().unwrap();
        let asked = Asked::new(read_public(&text).unwrap(), b"pack", PACK).unwrap();
        let armour = asked.armour(&answer(asked.message())).unwrap();
        assert!(verify(b"pack", armour.as_bytes(), PACK).is_ok());
        let text = pair().to_openssh(LineEnding::LF).unwrap();
        let ReadKey::Ready(key) = read_key(text.as_bytes()).unwrap() else {
            panic!("no passphrase");
        };
        assert_eq!(key.sign(b"pack", PACK).unwrap(), armour);
    }

    #[test]
    fn a_refusal_and_every_damaged_answer_are_told_apart() {
        let asked = Asked::new(pair().public_key().key_data().clone(), b"pack", PACK).unwrap();
        assert_eq!(asked.armour(&[5]), Err(AgentFault::Refused));
        assert_eq!(asked.armour(&[]), Err(AgentFault::Unreadable));
        let good = answer(asked.message());
        for end in 1..good.len() {
            assert_eq!(asked.armour(&good[..end]), Err(AgentFault::Unreadable));
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(asked.armour(&longer), Err(AgentFault::Unreadable));
        assert_eq!(read_public("ssh-ed25519 AAAA"), Err(AgentFault::NoKey));
    }
}
