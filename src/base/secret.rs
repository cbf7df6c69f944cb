//! What must not be printed: secrets, addresses, pre-authenticated URLs. Printing is redacted by construction.

use std::fmt;

use zeroize::Zeroize;

/// A password, client secret or token. `Debug` and `Display` say `[secret]`; memory is overwritten on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text. Call it only where the bytes leave for the server they belong to.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A URL that may carry a token in its query (`importUrl`). Prints scheme, host and path; the query becomes `?…`.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(String);

impl SafeUrl {
    /// Takes the URL in, unparsed.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Returns the whole URL, token included.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for SafeUrl {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.0.find(['?', '#']);
        let shown = &self.0[..cut.unwrap_or(self.0.len())];
        // A user:password@ part would be a secret too.
        match (shown.find("://"), shown.find('@')) {
            (Some(scheme), Some(at)) if !shown[scheme + 3..at].contains('/') => {
                write!(f, "{}://…@{}", &shown[..scheme], &shown[at + 1..])?;
            }
            _ => f.write_str(shown)?,
        }
        if cut.is_some() {
            f.write_str("?…")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text about a person: a name, an address, a directory path. `Debug` and `Display` print `[private]`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Private(Box<str>);

impl Private {
    /// Takes the text in as it came.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the text in clear. Call it only for the operator's own terminal and files.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[private]")
    }
}

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[private]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
        let url =
            SafeUrl::new("https://o.example/api/Mailboxes('MBX:1@2')/importItem?authtoken=ey");
        assert_eq!(
            url.to_string(),
            "https://o.example/api/Mailboxes('MBX:1@2')/importItem?…"
        );
        let url = SafeUrl::new("https://user:pw@h.example/x#t");
        assert_eq!(format!("{url:?}"), "https://…@h.example/x?…");
    }
}
