//! Tests of single files: macros, encryption, HTML that builds files, web shells.

use memchr::memmem;

use super::encoded;
use super::kind::Kind;

/// A storage or stream name of a compound file as it lies there: UTF-16LE.
fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn has(data: &[u8], what: &[u8]) -> bool {
    memmem::find(data, what).is_some()
}

/// True when a compound file holds a Visual Basic project ([MS-OVBA] section 2.2.1).
pub(super) fn ole_macros(data: &[u8]) -> bool {
    has(data, &utf16("_VBA_PROJECT"))
}

/// True when a compound file is an encrypted document ([MS-OFFCRYPTO] section 2.3.4).
pub(super) fn ole_encrypted(data: &[u8]) -> bool {
    has(data, &utf16("EncryptedPackage"))
}

/// True when a member of an Office document is its Visual Basic project.
pub(super) fn is_macro_part(name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    last.eq_ignore_ascii_case("vbaProject.bin")
}

/// True when a RAR, as far as its first headers show it, is encrypted. RAR 4: flag 0x0080 of the archive header or 0x0004 of the first file's;
/// RAR 5: an encryption header (type 4) first.
pub(super) fn rar_encrypted(data: &[u8]) -> bool {
    if data.get(6) == Some(&1) {
        // Signature of 8 bytes, CRC of 4, header size and type as numbers of 7 bits a byte.
        let mut at = 12;
        while data.get(at).is_some_and(|byte| byte & 0x80 != 0) && at < 16 {
            at += 1;
        }
        return data.get(at + 1) == Some(&4);
    }
    let word = |at: usize| {
        let two = data.get(at..at + 2)?;
        Some(u16::from_le_bytes([two[0], two[1]]))
    };
    let (Some(flags), Some(size)) = (word(10), word(12)) else {
        return false;
    };
    let first = 7 + usize::from(size);
    let file = data.get(first + 2) == Some(&0x74) && word(first + 3).is_some_and(|f| f & 4 != 0);
    flags & 0x80 != 0 || file
}

/// True when a 7z names the AES coder (06F10701) in a header that is not packed itself.
pub(super) fn seven_zip_encrypted(data: &[u8]) -> bool {
    has(data, &[0x06, 0xF1, 0x07, 0x01])
}

/// A text that can be searched without regard to case.
struct Lower(Vec<u8>);

impl Lower {
    fn has(&self, what: &str) -> bool {
        has(&self.0, what.as_bytes())
    }

    fn any(&self, what: &[&str]) -> bool {
        what.iter().any(|what| self.has(what))
    }
}

/// HTML that builds a file out of its own script: a script, a way to hold bytes, a way to hand them to the user.
pub(super) fn smuggles(data: &[u8]) -> bool {
    let text = Lower(data.to_ascii_lowercase());
    let script = text.any(&["<script", "onload=", "onerror="]);
    let holds = text.any(&[
        "new blob",
        "atob(",
        "uint8array",
        "fromcharcode",
        "createobjecturl",
        "data:application/",
    ]);
    let hands = text.any(&[
        "mssaveoropenblob",
        "mssaveblob",
        ".download",
        "\"download\"",
        "'download'",
        "createobjecturl",
        "location.href",
        "location.assign",
    ]);
    let bytes = text.any(&["atob(", "uint8array", "fromcharcode"]) || encoded::has_run(data, 1_000);
    script && holds && hands && bytes
}

/// Source of a web shell: script that runs on a server and takes its commands from the request (reference/iocs.md M19).
pub(super) fn web_shell(data: &[u8], kind: Kind) -> bool {
    if !kind.is_text() || !has(data, b"<") {
        return false;
    }
    // Both begin with a sign that mail seldom has; everything else costs a copy.
    let server =
        has(data, b"<%") || has(data, b"runat=") || has(data, b"RUNAT=") || has(data, b"<?");
    if !server {
        return false;
    }
    let text = Lower(data.to_ascii_lowercase());
    let page = text.any(&["<%@ page", "<%@page", "<%eval", "<?php", "<%execute"])
        || (text.has("runat=\"server\"") && text.has("<script"));
    let commands = text.any(&[
        "eval(",
        "eval request",
        "execute(",
        "process.start",
        "system(",
        "shell_exec",
        "cmd.exe",
        "assembly.load",
        "unsafe\"",
    ]);
    let asked = text.any(&[
        "request[",
        "request.item",
        "request.form",
        "request(",
        "$_post",
        "$_request",
        "$_get",
    ]);
    page && commands && asked
}
