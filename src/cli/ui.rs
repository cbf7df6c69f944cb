//! stdout is data, stderr is talk, colour is decoration.

use std::io::{IsTerminal as _, Write as _};

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On terminals.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Errors only.
    Quiet,
    /// What a person wants to know.
    Normal,
    /// More.
    Verbose,
}

/// The two streams, as the flags want them.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent answers, not one state"
)]
pub struct Ui {
    /// True when stdout carries JSON.
    pub json: bool,
    talk: Talk,
    colour_out: bool,
    colour_err: bool,
    bars: bool,
}

impl Ui {
    /// Reads flags and terminals once.
    pub fn new(json: bool, talk: Talk, color: Color, no_color: bool) -> Self {
        let (out, err) = (
            std::io::stdout().is_terminal(),
            std::io::stderr().is_terminal(),
        );
        let on = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        };
        Self {
            json,
            talk,
            colour_out: on(out),
            colour_err: on(err),
            bars: err && talk != Talk::Quiet,
        }
    }

    /// The same streams, for a step whose JSON is part of a larger document.
    #[must_use]
    pub fn without_json(self) -> Self {
        Self {
            json: false,
            ..self
        }
    }

    /// True when a bar may be drawn on stderr.
    pub fn bars(self) -> bool {
        self.bars
    }

    /// True when data on stdout may be coloured.
    pub fn colour(self) -> bool {
        self.colour_out
    }

    /// Writes data. A reader that went away is no error.
    pub fn data(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    /// Says something to a person.
    pub fn say(self, text: &str) {
        self.speak(Talk::Normal, text);
    }

    /// Says something to a person who asked for more.
    pub fn detail(self, text: &str) {
        self.speak(Talk::Verbose, text);
    }

    fn speak(self, at_least: Talk, text: &str) {
        if self.talk >= at_least {
            let mut err = std::io::stderr().lock();
            let _ = writeln!(err, "{text}");
        }
    }

    /// Says why a command failed; quiet or not.
    pub fn fail(self, text: &str) {
        let mut err = std::io::stderr().lock();
        let (on, off) = if self.colour_err {
            ("\u{1b}[1;31m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        for (at, line) in text.lines().enumerate() {
            let _ = if at == 0 {
                writeln!(err, "{on}mailferry:{off} {line}")
            } else {
                writeln!(err, "  {line}")
            };
        }
    }
}
