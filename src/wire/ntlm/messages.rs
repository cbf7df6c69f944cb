//! The three messages ([MS-NLMP] section 2.2.1): what we write, and what we read of what others wrote.

use std::fmt;

use thiserror::Error;

use super::crypto::{FileTime, channel, hmac_md5, lm, owf, proof, temp, utf16};
use crate::base::secret::Secret;

pub(super) const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Unicode, target name, NTLM, always sign, extended session security, target info, version, 128 and 56 bits. Neither signing nor sealing nor
/// key exchange: HTTP uses none of them.
pub(super) const FLAGS: u32 = 0xa288_8205;
pub(super) const UNICODE: u32 = 1;

/// A version that every server knows: 6.1, revision 15.
pub(super) const VERSION: [u8; 8] = [6, 1, 0xb1, 0x1d, 0, 0, 0, 15];

/// Attributes of the target info.
pub(super) const AV_END: u16 = 0;
pub(super) const AV_COMPUTER: u16 = 1;
pub(super) const AV_DOMAIN: u16 = 2;
pub(super) const AV_FLAGS: u16 = 6;
pub(super) const AV_TIME: u16 = 7;
pub(super) const AV_TARGET: u16 = 9;
pub(super) const AV_CHANNEL: u16 = 10;

/// In [`AV_FLAGS`]: the message carries an integrity code.
pub(super) const HAS_MIC: u32 = 2;

/// Where the integrity code stands, and where the fields of the last message end.
pub(super) const MIC_AT: usize = 72;
pub(super) const HEAD: usize = 88;

/// A message of the far side cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not an NTLM message of that kind")]
pub struct Unreadable;

/// Who signs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The name; a UPN stays whole.
    pub user: String,
    /// The domain; empty with a UPN.
    pub domain: String,
}

impl Account {
    /// Out of `DOMAIN\user`, `user@domain` or `user`.
    pub fn parse(text: &str) -> Self {
        let (domain, user) = text.split_once('\\').unwrap_or(("", text));
        Self {
            user: user.to_owned(),
            domain: domain.to_owned(),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account")
    }
}

/// The first message. It says nothing about us.
pub fn negotiate() -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend(1u32.to_le_bytes());
    out.extend(FLAGS.to_le_bytes());
    out.extend([0; 16]);
    out.extend(VERSION);
    out
}

/// The server's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub(super) raw: Vec<u8>,
    pub(super) flags: u32,
    pub(super) server: [u8; 8],
    pub(super) info: Vec<(u16, Vec<u8>)>,
}

/// What the last message needs beside the challenge.
#[derive(Clone, Copy)]
pub struct Response<'a> {
    /// Who.
    pub account: &'a Account,
    /// With which password.
    pub password: &'a Secret,
    /// The service asked for, `HTTP/mail.clinic.example`.
    pub service: &'a str,
    /// The `tls-server-end-point` value of the channel; `None` without TLS.
    pub end_point: Option<&'a [u8]>,
    /// Now; used only where the server does not state its own time.
    pub now: FileTime,
    /// Eight random bytes.
    pub nonce: [u8; 8],
}

impl Challenge {
    /// Reads the server's message.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let head = Fields::of(bytes, 2)?;
        let flags = head.number(20)?;
        let server = head.take(24, 8)?.try_into().map_err(|_| Unreadable)?;
        let info = match bytes.len() {
            0..48 => &[],
            _ => head.field(40)?,
        };
        Ok(Self {
            raw: bytes.to_vec(),
            flags,
            server,
            info: pairs(info)?,
        })
    }

    /// The server's own time, where it says so.
    pub fn time(&self) -> Option<FileTime> {
        let value = value(&self.info, AV_TIME)?;
        Some(FileTime(u64::from_le_bytes(value.try_into().ok()?)))
    }

    /// The last message: the answer to this challenge, bound to the channel and with an integrity code over all three messages.
    pub fn answer(&self, negotiate: &[u8], with: &Response<'_>) -> Vec<u8> {
        let key = owf(
            with.password.expose(),
            &with.account.user,
            &with.account.domain,
        );
        let time = self.time();
        let mut info: Vec<(u16, Vec<u8>)> = self.info.clone();
        info.retain(|(id, _)| ![AV_FLAGS, AV_CHANNEL, AV_TARGET].contains(id));
        let flags = value(&self.info, AV_FLAGS)
            .and_then(|v| v.try_into().ok())
            .map_or(0, u32::from_le_bytes);
        info.push((AV_FLAGS, (flags | HAS_MIC).to_le_bytes().to_vec()));
        // Sixteen zeros say that there is no channel to bind to.
        let bound = with.end_point.map_or([0; 16], channel);
        info.push((AV_CHANNEL, bound.to_vec()));
        info.push((AV_TARGET, utf16(with.service)));
        let temp = temp(time.unwrap_or(with.now), with.nonce, &joined(&info));
        let (proof, session) = proof(&key, self.server, &temp);
        let nt = [&proof[..], &temp].concat();
        let lm = match time {
            Some(_) => vec![0; 24],
            None => lm(&key, self.server, with.nonce),
        };
        let text = |text: &str| utf16(text);
        let parts = [
            lm,
            nt,
            text(&with.account.domain),
            text(&with.account.user),
            Vec::new(),
            Vec::new(),
        ];
        let mut message = authenticate(&parts, self.flags & FLAGS);
        let mic = hmac_md5(&session, &[negotiate, &self.raw, &message]);
        message[MIC_AT..HEAD].copy_from_slice(&mic);
        message
    }
}

/// Lays out the last message with an empty integrity code. The parts in the order of their fields.
fn authenticate(parts: &[Vec<u8>; 6], flags: u32) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend(3u32.to_le_bytes());
    let mut at = HEAD;
    for part in parts {
        let len = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
        out.extend(len);
        out.extend(len);
        out.extend(u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes());
        at += part.len();
    }
    out.extend(flags.to_le_bytes());
    out.extend(VERSION);
    out.extend([0; 16]);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// The value of an attribute.
pub(super) fn value(info: &[(u16, Vec<u8>)], id: u16) -> Option<&[u8]> {
    let found = info.iter().find(|(own, _)| *own == id);
    found.map(|(_, value)| value.as_slice())
}

/// Attributes to bytes, with the mark of their end.
pub(super) fn joined(info: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, value) in info {
        out.extend(id.to_le_bytes());
        out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(value);
    }
    out.extend([0; 4]);
    out
}

/// Bytes to attributes, without the mark of their end.
pub(super) fn pairs(mut bytes: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, Unreadable> {
    let mut out = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(4) {
        let id = u16::from_le_bytes([head[0], head[1]]);
        let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
        if id == AV_END {
            break;
        }
        let (value, after) = rest.split_at_checked(len).ok_or(Unreadable)?;
        out.push((id, value.to_vec()));
        bytes = after;
    }
    Ok(out)
}

/// A message with its fields, bounds checked.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(bytes: &'a [u8], kind: u32) -> Result<Self, Unreadable> {
        let fields = Self(bytes);
        let fits = fields.take(0, 8)? == SIGNATURE && fields.number(8)? == kind;
        if fits { Ok(fields) } else { Err(Unreadable) }
    }

    pub(super) fn take(&self, at: usize, len: usize) -> Result<&'a [u8], Unreadable> {
        let end = at.checked_add(len).ok_or(Unreadable)?;
        self.0.get(at..end).ok_or(Unreadable)
    }

    pub(super) fn number(&self, at: usize) -> Result<u32, Unreadable> {
        let bytes = self.take(at, 4)?.try_into().map_err(|_| Unreadable)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// What the length and offset at `at` point to.
    pub(super) fn field(&self, at: usize) -> Result<&'a [u8], Unreadable> {
        let len = self.take(at, 2)?;
        let len = usize::from(u16::from_le_bytes([len[0], len[1]]));
        let from = usize::try_from(self.number(at + 4)?).map_err(|_| Unreadable)?;
        if len == 0 {
            Ok(&[])
        } else {
            self.take(from, len)
        }
    }
}
