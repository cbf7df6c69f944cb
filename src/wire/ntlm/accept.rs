//! The server's end, for the lab: a challenge, and the judgement of its answer. It demands what a server with Extended Protection demands.

use super::crypto::{FileTime, channel, hmac_md5, owf, proof, utf16};
use super::messages::{
    AV_CHANNEL, AV_COMPUTER, AV_DOMAIN, AV_FLAGS, AV_TIME, FLAGS, Fields, HAS_MIC, HEAD, MIC_AT,
    SIGNATURE, UNICODE, Unreadable, VERSION, joined, pairs, value,
};
use crate::base::secret::Secret;

/// What a server calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// NetBIOS domain.
    pub domain: String,
    /// NetBIOS name.
    pub computer: String,
}

/// Extended Protection of a virtual directory (ExtendedProtectionTokenChecking).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Bindings are not looked at.
    #[default]
    None,
    /// A binding that is there must be right.
    Allow,
    /// There must be one.
    Require,
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It cannot be read.
    Unreadable,
    /// Another account.
    Account,
    /// The proof does not fit the password.
    Password,
    /// The integrity code is missing or wrong.
    Integrity,
    /// The channel binding is missing or wrong (0xC000035B).
    Binding,
}

impl From<Unreadable> for Mismatch {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// One sign-in under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptor {
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    server: [u8; 8],
}

impl Acceptor {
    /// Takes the first message and makes the challenge.
    pub fn begin(
        negotiate: &[u8],
        names: &Names,
        server: [u8; 8],
        now: FileTime,
    ) -> Result<Self, Unreadable> {
        let asked = Fields::of(negotiate, 1)?.number(12)?;
        if asked & UNICODE == 0 {
            return Err(Unreadable);
        }
        let info = joined(&[
            (AV_DOMAIN, utf16(&names.domain)),
            (AV_COMPUTER, utf16(&names.computer)),
            (AV_TIME, now.0.to_le_bytes().to_vec()),
        ]);
        let target = utf16(&names.domain);
        let mut out = SIGNATURE.to_vec();
        out.extend(2u32.to_le_bytes());
        let mut at: usize = 56;
        let mut place = |len: usize| {
            let short = u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
            let from = u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
            at += len;
            [&short[..], &short, &from].concat()
        };
        out.extend(place(target.len()));
        // The target is a domain.
        out.extend(((asked & FLAGS) | 0x0001_0000).to_le_bytes());
        out.extend(server);
        out.extend([0; 8]);
        out.extend(place(info.len()));
        out.extend(VERSION);
        out.extend(target);
        out.extend(info);
        Ok(Self {
            negotiate: negotiate.to_vec(),
            challenge: out,
            server,
        })
    }

    /// The challenge.
    pub fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// Judges the answer. `end_point` is the `tls-server-end-point` value of our own channel, `None` without TLS, where nothing is bound.
    pub fn judge(
        &self,
        answer: &[u8],
        account: &str,
        password: &Secret,
        end_point: Option<&[u8]>,
        protection: Protection,
    ) -> Result<(), Mismatch> {
        let fields = Fields::of(answer, 3)?;
        let nt = fields.field(20)?;
        let domain = text(fields.field(28)?)?;
        let user = text(fields.field(36)?)?;
        let (wanted_domain, wanted_user) = account.split_once('\\').unwrap_or(("", account));
        if !user.eq_ignore_ascii_case(wanted_user) || !domain.eq_ignore_ascii_case(wanted_domain) {
            return Err(Mismatch::Account);
        }
        // An answer of 24 bytes is one of version 1.
        let (shown, temp) = nt.split_at_checked(16).ok_or(Mismatch::Unreadable)?;
        let key = owf(password.expose(), &user, &domain);
        let (expected, session) = proof(&key, self.server, temp);
        if shown != expected {
            return Err(Mismatch::Password);
        }
        let info = pairs(temp.get(28..).ok_or(Mismatch::Unreadable)?)?;
        self.integrity(answer, &info, &session)?;
        let given = value(&info, AV_CHANNEL).filter(|given| *given != [0; 16]);
        match (protection, end_point, given) {
            (Protection::None, _, _) | (_, None, _) | (Protection::Allow, _, None) => Ok(()),
            (_, Some(own), Some(given)) if given == channel(own) => Ok(()),
            _ => Err(Mismatch::Binding),
        }
    }

    /// A server that stated its time wants an integrity code over all three messages.
    fn integrity(
        &self,
        answer: &[u8],
        info: &[(u16, Vec<u8>)],
        session: &[u8; 16],
    ) -> Result<(), Mismatch> {
        let flags = value(info, AV_FLAGS)
            .and_then(|v| v.try_into().ok())
            .map_or(0, u32::from_le_bytes);
        let given = answer.get(MIC_AT..HEAD).ok_or(Mismatch::Integrity)?;
        let mut bare = answer.to_vec();
        bare[MIC_AT..HEAD].fill(0);
        let expected = hmac_md5(session, &[&self.negotiate, &self.challenge, &bare]);
        if flags & HAS_MIC != 0 && given == expected {
            Ok(())
        } else {
            Err(Mismatch::Integrity)
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).map_err(|_| Unreadable)
}
