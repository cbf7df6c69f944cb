//! Mail that screening must find, in seven disguises. Nothing here can hurt anybody: the file by which antivirus engines are tested, and two
//! specimens of our own that are in no engine's signatures unless somebody puts them there.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use sha2::{Digest as _, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::populate_items::{embedded, file};
use super::world::{Refused, World};
use crate::base::screening::ContentHash;
use crate::wire::item_stream::{Message, Prop};

/// How what is bad is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disguise {
    /// Not at all.
    Plain,
    /// In an archive.
    Zip,
    /// In an archive in an archive.
    ZipInZip,
    /// Attached to a message that is attached.
    EmbeddedMessage,
    /// Under another name.
    Renamed,
    /// Written out in letters, in the middle of a text.
    Base64Text,
    /// In a part of a mail that was saved as a file.
    MailFile,
}

impl Disguise {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::Zip,
        Self::ZipInZip,
        Self::EmbeddedMessage,
        Self::Renamed,
        Self::Base64Text,
        Self::MailFile,
    ];

    /// Its name in the lab's truth.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Zip => "zip",
            Self::ZipInZip => "zip in zip",
            Self::EmbeddedMessage => "embedded message",
            Self::Renamed => "renamed",
            Self::Base64Text => "base64 text",
            Self::MailFile => "mail as a file",
        }
    }
}

/// Something a screener must find. Every file is put together when it is asked for, so that this program holds none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specimen {
    /// The test file of the antivirus makers.
    TestFile,
    /// What looks like a program.
    Program,
    /// A text.
    Text,
}

impl Specimen {
    /// Its bytes.
    pub fn bytes(self) -> Vec<u8> {
        let reversed = |text: &str| text.bytes().rev().collect::<Vec<u8>>();
        match self {
            Self::TestFile => {
                reversed(r"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\4[PA@%P!O5X")
            }
            Self::Program => {
                let mut out = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0".to_vec();
                out.extend([0; 48]);
                out.extend(reversed("ENO NEMICEPS YRREFLIAM"));
                out.extend([0xC3; 512]);
                out
            }
            Self::Text => {
                let mut out =
                    b"This text is harmless; a laboratory signature finds it all the same: "
                        .to_vec();
                out.extend(reversed("OWT NEMICEPS YRREFLIAM"));
                out.extend(b" and nothing else in the world does.\n");
                out
            }
        }
    }
}

/// SHA-256 of the two specimens of our own, as a list for a plan.
pub fn hash_list() -> String {
    let mut out = String::from("# the lab's own specimens\n");
    for (specimen, label) in [(Specimen::Program, "program"), (Specimen::Text, "text")] {
        let hash = ContentHash(Sha256::digest(specimen.bytes()).into());
        let _ = writeln!(out, "{hash}  specimen-{label}");
    }
    out
}

/// A zip with one member.
fn zipped(name: &str, data: &[u8]) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    // Writing into memory fails only where memory does.
    let done = out
        .start_file(name, SimpleFileOptions::default())
        .and_then(|()| Ok(out.write_all(data)?))
        .and_then(|()| out.finish());
    done.map(Cursor::into_inner).unwrap_or_default()
}

/// Base64 in lines of 76 characters.
fn lines(data: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(data);
    let lines: Vec<&str> = (0..text.len())
        .step_by(76)
        .map(|at| &text[at..text.len().min(at + 76)])
        .collect();
    lines.join("\r\n")
}

/// Puts something bad into a message.
pub fn infect(message: &mut Message, disguise: Disguise) {
    let (test, program, letter) = (
        Specimen::TestFile.bytes(),
        Specimen::Program.bytes(),
        Specimen::Text.bytes(),
    );
    let attachment = match disguise {
        Disguise::Plain => file("test.com", test),
        Disguise::Zip => file("documents.zip", zipped("scan.txt", &test)),
        Disguise::ZipInZip => {
            let inner = zipped("letter.txt", &letter);
            file("archive.zip", zipped("2019.zip", &inner))
        }
        Disguise::EmbeddedMessage => {
            let mut inner = Message {
                props: message.props.clone(),
                ..Message::default()
            };
            inner.attachments.push(file("update.exe", program));
            embedded(inner)
        }
        Disguise::Renamed => file("report.pdf", program),
        Disguise::Base64Text => {
            let note = format!(
                "Please keep this:\r\n\r\n{}\r\n\r\nThank you\r\n",
                lines(&test)
            );
            file("note.txt", note.into_bytes())
        }
        Disguise::MailFile => {
            let mail = format!(
                "From: a@clinic.example\r\nTo: b@clinic.example\r\nSubject: forwarded\r\nMIME-Version: 1.0\r\nContent-Type: \
                 application/octet-stream; name=\"letter.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
                lines(&letter)
            );
            file("forwarded.eml", mail.into_bytes())
        }
    };
    message.attachments.push(attachment);
    message.set(Prop::boolean(0x0E1B, true));
}

impl World {
    /// Notes in the truth that a source item is infected, and how.
    pub fn mark_infected(
        &mut self,
        mailbox: &str,
        item: &str,
        disguise: Disguise,
    ) -> Result<(), Refused> {
        self.source_item_mut(mailbox, item)?.infected = Some(disguise.name());
        self.infected += 1;
        Ok(())
    }

    /// How many items of the source are infected.
    pub const fn infected(&self) -> u32 {
        self.infected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specimens_are_what_signatures_are_made_for() {
        let hash = ContentHash(Sha256::digest(Specimen::TestFile.bytes()).into());
        // Published with the file by EICAR.
        assert_eq!(
            hash.to_string(),
            "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
        );
        assert_eq!(hash_list().lines().count(), 3);
    }
}
