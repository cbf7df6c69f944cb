//! Looks into the parts of one item, one after the other, and into what lies inside them.

use sha2::{Digest as _, Sha256};

use super::archive::{Member, Zip, gunzip};
use super::kind::{Kind, ends_like_zip};
use super::names::NameSays;
use super::{HashLists, content, encoded};
use crate::base::limits::{
    SCREEN_HITS_KEPT, SCREEN_RECORD_HITS, SIFT_BASE64_MIN, SIFT_BYTES_MAX, SIFT_DEPTH_MAX,
    SIFT_NAME_MAX, SIFT_PARTS_MAX,
};
use crate::base::screen_rules::{Mode, Rule, RuleBook};
use crate::base::screening::{Answer, ContentHash, Effect, Found, Hit, Mark, Unscanned};

/// The harmless 68 bytes by which antivirus engines are tested. Made of two halves, so that this program is not taken for it.
pub fn test_file() -> Vec<u8> {
    let halves = [
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD",
        "-ANTIVIRUS-TEST-FILE!$H+H*",
    ];
    halves.concat().into_bytes()
}

/// A part to be looked into.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'d> {
    /// Its file name.
    pub name: Option<&'d str>,
    /// Its content type as the sender gave it.
    pub mime: Option<&'d str>,
    /// Its bytes.
    pub data: &'d [u8],
    /// True for the body of a message: it is no file that anybody opens.
    pub body: bool,
    /// How many messages lie around it.
    pub depth: u8,
}

/// Why looking ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A bound: the item is not scanned.
    Unscanned(Unscanned),
    /// It unpacks to more than may be held while others are looked into: again, alone.
    Heavy,
}

/// What all parts of an item brought.
#[derive(Debug, Default)]
pub struct Sifted {
    /// What was found, at most [`SCREEN_RECORD_HITS`].
    pub found: Vec<Found>,
    /// Why not everything was looked into.
    pub unscanned: Option<Unscanned>,
    /// Parts looked into.
    pub parts: u32,
    /// What was encoded inside texts, for an engine that does not decode it by itself.
    pub blocks: Vec<Vec<u8>>,
}

/// Looks into the parts of one item.
#[derive(Debug)]
pub struct Sifter<'b> {
    book: &'b RuleBook,
    lists: &'b HashLists,
    /// Unpacked bytes it may look into before it asks to be alone.
    light: Option<u64>,
    bytes: u64,
    unpacked: u64,
    trail: Vec<String>,
    out: Sifted,
}

impl<'b> Sifter<'b> {
    /// Before the first part. `light`: unpacked bytes above which it stops with [`Stop::Heavy`].
    pub fn new(book: &'b RuleBook, lists: &'b HashLists, light: Option<u64>) -> Self {
        Self {
            book,
            lists,
            light,
            bytes: 0,
            unpacked: 0,
            trail: Vec::new(),
            out: Sifted::default(),
        }
    }

    /// Looks into a part and everything inside it. What goes over a bound is noted, and the next part is looked into all the same; only
    /// [`Stop::Heavy`] is handed out, after which everything is to be done again.
    pub fn part(&mut self, piece: Piece<'_>) -> Result<(), Stop> {
        self.trail.clear();
        match self.look(piece) {
            Err(Stop::Heavy) => Err(Stop::Heavy),
            Err(Stop::Unscanned(why)) => {
                self.out.unscanned = self.out.unscanned.or(Some(why));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// What it all brought.
    pub fn finish(self) -> Sifted {
        self.out
    }

    fn look(&mut self, piece: Piece<'_>) -> Result<(), Stop> {
        if piece.depth > SIFT_DEPTH_MAX {
            return Err(Stop::Unscanned(Unscanned::TooDeep));
        }
        self.out.parts += 1;
        if self.out.parts > SIFT_PARTS_MAX {
            return Err(Stop::Unscanned(Unscanned::TooMany));
        }
        self.bytes += piece.data.len() as u64;
        if self.bytes > SIFT_BYTES_MAX {
            let unpacked = self.unpacked > 0;
            return Err(Stop::Unscanned(if unpacked {
                Unscanned::Expands
            } else {
                Unscanned::TooLarge
            }));
        }
        let name = piece.name.map(|name| {
            let skip = name.chars().count().saturating_sub(SIFT_NAME_MAX);
            name.chars().skip(skip).collect::<String>()
        });
        self.trail
            .push(name.unwrap_or_else(|| "(no name)".to_owned()));
        let end = self.into(piece);
        self.trail.pop();
        end
    }

    fn into(&mut self, piece: Piece<'_>) -> Result<(), Stop> {
        let wide = from_utf16(piece.data);
        let data = wide.as_deref().unwrap_or(piece.data);
        let kind = Kind::of(data);
        self.whole(piece, data, kind);
        match kind {
            Kind::Zip => self.zip(piece, true),
            Kind::Gzip => {
                let name = piece.name.map(|name| name.trim_end_matches(".gz"));
                let inside = self.unpacked(gunzip(piece.data, self.room()))?;
                self.inside(piece, name, &inside)
            }
            _ if !piece.body && ends_like_zip(piece.data) => self.zip(piece, false),
            _ if kind.is_text() => self.blocks(piece, data),
            _ => Ok(()),
        }
    }

    /// Everything that can be said of a file without opening it.
    fn whole(&mut self, piece: Piece<'_>, data: &[u8], kind: Kind) {
        if !piece.body && !self.lists.is_empty() && !piece.data.is_empty() {
            let hash: [u8; 32] = Sha256::digest(piece.data).into();
            if self.lists.holds(&hash) {
                self.hit(Rule::ListedHash, piece);
            }
        }
        if is_test_file(data) {
            self.hit(Rule::TestFile, piece);
        }
        if piece.body || self.book.is_off() {
            return;
        }
        let says = NameSays::of(piece.name.unwrap_or_default());
        let tests: [(Rule, bool); 8] = [
            (
                Rule::Executable,
                kind == Kind::Program || (says.program && !kind.is_text()),
            ),
            (Rule::Script, says.script || kind == Kind::Shortcut),
            (Rule::DoubleExtension, says.hides),
            (Rule::Disguised, says.contradicts(kind)),
            (
                Rule::DangerousType,
                says.dangerous || says.program || matches!(kind, Kind::OneNote | Kind::Help),
            ),
            (
                Rule::UnreadableArchive,
                matches!(kind, Kind::Rar | Kind::SevenZip | Kind::OtherArchive),
            ),
            (
                Rule::OfficeMacro,
                kind == Kind::Ole && content::ole_macros(data),
            ),
            (
                Rule::EncryptedArchive,
                match kind {
                    Kind::Ole => content::ole_encrypted(data),
                    Kind::Rar => content::rar_encrypted(data),
                    Kind::SevenZip => content::seven_zip_encrypted(data),
                    _ => false,
                },
            ),
        ];
        for (rule, hit) in tests {
            if hit {
                self.hit(rule, piece);
            }
        }
        let html = matches!(kind, Kind::Html | Kind::Svg) || is_html(piece.mime, &says);
        if html && self.asked(Rule::HtmlSmuggling) && content::smuggles(data) {
            self.hit(Rule::HtmlSmuggling, piece);
        }
        if self.asked(Rule::WebShell) && content::web_shell(data, kind) {
            self.hit(Rule::WebShell, piece);
        }
    }

    fn asked(&self, rule: Rule) -> bool {
        self.book.mode(rule) != Mode::Off
    }

    fn hit(&mut self, rule: Rule, piece: Piece<'_>) {
        let mode = self.book.mode(rule);
        if mode == Mode::Off || self.out.found.len() >= SCREEN_RECORD_HITS {
            return;
        }
        self.out.found.push(Found {
            mark: Mark::new(rule.name()),
            mode,
            content: ContentHash(Sha256::digest(piece.data).into()),
            size: piece.data.len() as u64,
            names: self.trail.clone(),
            mime: piece.mime.map(str::to_owned),
        });
    }

    /// Unpacked bytes that may still be held.
    fn room(&self) -> u64 {
        let left = SIFT_BYTES_MAX.saturating_sub(self.bytes);
        match self.light {
            Some(light) => left.min(light.saturating_sub(self.unpacked)),
            None => left,
        }
    }

    /// Takes unpacked bytes in, or says why there are none.
    fn unpacked(&mut self, data: Result<Vec<u8>, Option<Unscanned>>) -> Result<Vec<u8>, Stop> {
        match data {
            Ok(data) => {
                self.unpacked += data.len() as u64;
                Ok(data)
            }
            Err(Some(why)) => Err(Stop::Unscanned(why)),
            Err(None) => Err(self.no_room()),
        }
    }

    fn no_room(&self) -> Stop {
        if self.light.is_some() {
            Stop::Heavy
        } else {
            Stop::Unscanned(Unscanned::Expands)
        }
    }

    fn inside(&mut self, around: Piece<'_>, name: Option<&str>, data: &[u8]) -> Result<(), Stop> {
        self.look(Piece {
            name,
            mime: None,
            data,
            body: false,
            depth: around.depth + 1,
        })
    }

    /// `is_one`: it begins like an archive. Where it only ends like one, and cannot be read as one, it is none.
    fn zip(&mut self, piece: Piece<'_>, is_one: bool) -> Result<(), Stop> {
        let mut zip = match Zip::open(piece.data) {
            Ok(zip) => zip,
            Err(Unscanned::Damaged) if !is_one => return Ok(()),
            Err(why) => return Err(Stop::Unscanned(why)),
        };
        let mut end = Ok(());
        while let Some(member) = zip.next(self.room()) {
            match self.member(piece, member) {
                Ok(()) => {}
                Err(Stop::Heavy) => return Err(Stop::Heavy),
                // The other members are looked into all the same, as long as there is room.
                Err(stop @ Stop::Unscanned(Unscanned::TooMany | Unscanned::Expands)) => {
                    return Err(stop);
                }
                Err(stop) => end = end.and(Err(stop)),
            }
        }
        end
    }

    fn member(
        &mut self,
        piece: Piece<'_>,
        member: Result<Member, Option<Unscanned>>,
    ) -> Result<(), Stop> {
        match member {
            Ok(Member::Closed(name)) => {
                self.trail.push(name);
                self.hit(Rule::EncryptedArchive, piece);
                self.trail.pop();
                self.out.parts += 1;
                if self.out.parts > SIFT_PARTS_MAX {
                    return Err(Stop::Unscanned(Unscanned::TooMany));
                }
                Ok(())
            }
            Ok(Member::Open(name, data)) => {
                let data = self.unpacked(Ok(data))?;
                if content::is_macro_part(&name) {
                    self.hit(Rule::OfficeMacro, piece);
                }
                self.inside(piece, Some(&name), &data)
            }
            Err(Some(why)) => Err(Stop::Unscanned(why)),
            Err(None) => Err(self.no_room()),
        }
    }

    /// What is encoded inside a text.
    fn blocks(&mut self, piece: Piece<'_>, data: &[u8]) -> Result<(), Stop> {
        for run in encoded::runs(data, SIFT_BASE64_MIN) {
            let size = (run.signs / 4 * 3) as u64;
            if size > self.room() {
                return Err(self.no_room());
            }
            let inside = encoded::decode(data, &run);
            // Words that happen to fill lines say nothing when they are read as an encoding.
            if !speaks(&inside) {
                continue;
            }
            self.unpacked += inside.len() as u64;
            self.inside(piece, None, &inside)?;
            self.out.blocks.push(inside);
        }
        Ok(())
    }
}

/// True when decoded bytes are of a kind, or long enough to be worth an engine's while.
fn speaks(data: &[u8]) -> bool {
    Kind::of(data) != Kind::Unknown || is_test_file(data) || data.len() >= 768
}

/// The test file, alone or with blanks and line ends behind it, as its definition allows.
fn is_test_file(data: &[u8]) -> bool {
    let end = data.len().min(128);
    let bare = data[..end].trim_ascii();
    data.len() <= 128 && bare.len() == 68 && bare == test_file()
}

fn is_html(mime: Option<&str>, says: &NameSays) -> bool {
    let by_mime = mime.is_some_and(|mime| {
        let mime = mime.to_ascii_lowercase();
        mime.contains("html") || mime.contains("svg")
    });
    let ext = says.ext.as_deref().unwrap_or_default();
    by_mime || matches!(ext, "htm" | "html" | "xhtml" | "shtml" | "svg" | "mht")
}

/// Text in UTF-16 with a mark in front of it, as UTF-8.
fn from_utf16(data: &[u8]) -> Option<Vec<u8>> {
    let big = match data.get(..2)? {
        [0xFF, 0xFE] => false,
        [0xFE, 0xFF] => true,
        _ => return None,
    };
    let units = data[2..].chunks_exact(2).map(|two| {
        let two = [two[0], two[1]];
        if big {
            u16::from_be_bytes(two)
        } else {
            u16::from_le_bytes(two)
        }
    });
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Some(text.into_bytes())
}

/// One answer out of everything, and what follows from it. A hit that withholds weighs more than a bound; a bound more than a hit that is only
/// reported.
pub fn fold(found: &[Found], unscanned: Option<Unscanned>) -> (Answer, Effect) {
    let mut hits: Vec<(Mode, Hit)> = found
        .iter()
        .map(|found| {
            let hit = Hit {
                mark: found.mark.clone(),
                content: found.content,
            };
            (found.mode, hit)
        })
        .collect();
    hits.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    hits.dedup();
    let withheld = hits
        .first()
        .is_some_and(|(mode, _)| *mode == Mode::Quarantine);
    let effect = match (withheld, unscanned) {
        (true, _) => Effect::Withheld,
        (false, Some(why)) => return (Answer::NotScanned(why), Effect::Waits),
        (false, None) => Effect::Passes,
    };
    let hits: Vec<Hit> = hits
        .into_iter()
        .map(|(_, hit)| hit)
        .take(SCREEN_HITS_KEPT)
        .collect();
    let answer = if hits.is_empty() {
        Answer::NothingFound
    } else {
        Answer::Found(hits)
    };
    (answer, effect)
}
