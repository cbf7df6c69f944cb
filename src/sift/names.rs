//! What a file's name says, and what it hides.

use super::kind::Kind;

/// Types that Windows runs as a script or follows as a shortcut on a double click.
const SCRIPTS: &[&str] = &[
    "bat",
    "cmd",
    "hta",
    "js",
    "jse",
    "lnk",
    "ps1",
    "ps1xml",
    "ps2",
    "psc1",
    "psm1",
    "sct",
    "shb",
    "shs",
    "vb",
    "vbe",
    "vbs",
    "wsc",
    "wsf",
    "wsh",
    "scf",
    "jar",
    "jnlp",
    "reg",
    "url",
    "appref-ms",
    "settingcontent-ms",
];

/// Programs by name.
const PROGRAMS: &[&str] = &[
    "com", "cpl", "dll", "exe", "msi", "msp", "mst", "pif", "scr", "ocx", "sys", "drv",
];

/// The rest of Microsoft's list of attachments that Outlook blocks, and images of disks.
const DANGEROUS: &[&str] = &[
    "ade",
    "adp",
    "ani",
    "bas",
    "chm",
    "crt",
    "hlp",
    "ht",
    "inf",
    "ins",
    "isp",
    "job",
    "mda",
    "mdb",
    "mde",
    "mdz",
    "msc",
    "pcd",
    "iso",
    "img",
    "vhd",
    "vhdx",
    "one",
    "xll",
    "wim",
    "diagcab",
    "library-ms",
    "search-ms",
    "application",
    "appx",
    "msix",
    "gadget",
    "osd",
    "grp",
    "theme",
    "website",
    "vbp",
    "xbap",
    "xnk",
];

/// Types that people open without a second thought.
const HARMLESS: &[&str] = &[
    "bmp", "csv", "doc", "docx", "eml", "gif", "htm", "html", "jpeg", "jpg", "mp3", "mp4", "odt",
    "pdf", "png", "ppt", "pptx", "rtf", "tif", "tiff", "txt", "wav", "xls", "xlsx", "xml", "zip",
];

/// A turned writing direction makes `gpj.exe` out of `exe.jpg`.
const TURNS: [char; 5] = ['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2067}'];

/// The last extension, in lower case, as Windows takes it: without dots and blanks behind it.
pub(super) fn extension(name: &str) -> Option<String> {
    let (_, last) = bare(name).rsplit_once('.')?;
    let last = last.trim();
    (!last.is_empty() && last.chars().count() <= 20).then(|| last.to_lowercase())
}

fn bare(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.trim_end_matches(|c: char| c == '.' || c.is_whitespace() || c.is_control() || c == '"')
}

fn is_in(list: &[&str], ext: Option<&str>) -> bool {
    ext.is_some_and(|ext| list.contains(&ext))
}

/// What a name says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four answers, any of which may be given with any other"
)]
pub(super) struct NameSays {
    pub(super) ext: Option<String>,
    pub(super) script: bool,
    pub(super) program: bool,
    pub(super) dangerous: bool,
    pub(super) hides: bool,
}

impl NameSays {
    pub(super) fn of(name: &str) -> Self {
        let ext = extension(name);
        let last = ext.as_deref();
        let (script, program) = (is_in(SCRIPTS, last), is_in(PROGRAMS, last));
        let dangerous = is_in(DANGEROUS, last);
        let runs = script || program || dangerous;
        let before = bare(name).rsplit_once('.').map(|(before, _)| before);
        let second = before.and_then(extension);
        let blanks = before.is_some_and(|before| before.ends_with("     "));
        let turned = name.contains(TURNS);
        Self {
            script,
            program,
            dangerous,
            hides: turned || (runs && (blanks || is_in(HARMLESS, second.as_deref()))),
            ext,
        }
    }

    /// True when a file of this kind has no business under this name.
    pub(super) fn contradicts(&self, kind: Kind) -> bool {
        let ext = self.ext.as_deref();
        let fits: &[&str] = match kind {
            Kind::Program | Kind::Shortcut | Kind::OneNote | Kind::Help => &[],
            Kind::Zip => &[
                "zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "docm", "xlsm", "pptm", "dotx",
                "xltx", "potx", "ppsx", "xlsb", "epub", "vsdx", "jar", "apk", "kmz", "xps", "oxps",
                "odg", "ipa", "msix", "appx", "thmx",
            ],
            Kind::Gzip | Kind::Rar | Kind::SevenZip | Kind::OtherArchive => &[],
            _ => return false,
        };
        is_in(HARMLESS, ext) && !is_in(fits, ext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_windows_would_do() {
        for (name, script, program, hides) in [
            ("report.pdf", false, false, false),
            ("report.pdf.exe", false, true, true),
            ("report.PDF.Js. ", true, false, true),
            ("setup.exe", false, true, false),
            ("photo\u{202e}gpj.scr", false, true, true),
            ("letter.doc                     .vbs", true, false, true),
            ("a.b.c.txt", false, false, false),
            ("C:\\x\\run.ps1", true, false, false),
            ("", false, false, false),
            (".", false, false, false),
            ("v1.2.zip", false, false, false),
        ] {
            let says = NameSays::of(name);
            let got = (says.script, says.program, says.hides);
            assert_eq!(got, (script, program, hides), "{name}");
        }
    }

    #[test]
    fn content_is_held_against_the_name() {
        assert!(NameSays::of("scan.pdf").contradicts(Kind::Program));
        assert!(NameSays::of("scan.pdf").contradicts(Kind::Zip));
        assert!(!NameSays::of("scan.docx").contradicts(Kind::Zip));
        assert!(!NameSays::of("scan.pdf").contradicts(Kind::Pdf));
        assert!(!NameSays::of("setup.exe").contradicts(Kind::Program));
        assert!(!NameSays::of("noname").contradicts(Kind::Zip));
    }
}
