//! The reply of exportItems, its Base64 decoded while it arrives: memory does not grow with the item.

use crate::base::id::TargetItemId;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::wire::base64::{Base64Error, Decoder};
use crate::wire::graph::error::said_of;
use crate::wire::graph::export::entry_setback;

/// Longest text other than `data` that is kept.
const TEXT_MAX: usize = 1_024;

/// Deepest nesting that is followed; the reply itself needs four levels.
const DEPTH_MAX: usize = 32;

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sink {
    Key,
    Data,
    ItemId,
    ErrorCode,
    Nowhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    Unicode { digits: u8, value: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    After,
    Text(Sink, Escape),
    Literal,
    End,
}

#[derive(Debug)]
enum Frame {
    Object { key: Vec<u8> },
    Array { index: u64 },
}

/// Reads the reply of an export of one item, piece by piece. After an error it stays in that error.
#[derive(Debug)]
pub struct ExportReader {
    status: u16,
    state: State,
    frames: Vec<Frame>,
    text: Vec<u8>,
    literal: Vec<u8>,
    decoder: Decoder,
    scratch: Vec<u8>,
    item_id: Option<Vec<u8>>,
    error_code: Option<Vec<u8>>,
    error_seen: bool,
    data_seen: bool,
    failed: Option<MisreadCause>,
}

impl ExportReader {
    /// A reader for a reply of HTTP `status`.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            state: State::Value,
            frames: Vec::new(),
            text: Vec::new(),
            literal: Vec::new(),
            decoder: Decoder::new(),
            scratch: Vec::new(),
            item_id: None,
            error_code: None,
            error_seen: false,
            data_seen: false,
            failed: None,
        }
    }

    /// Takes the next bytes of the reply and appends to `out` what of the item's stream they decode to.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Setback> {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if self.failed.is_some() {
                break;
            }
            if self.state == State::Text(Sink::Data, Escape::None) {
                let ends = |b: &u8| matches!(b, b'"' | b'\\' | 0..0x20);
                let run = rest.iter().position(ends).unwrap_or(rest.len());
                self.scratch.extend_from_slice(&rest[..run]);
                if run > 0 {
                    rest = &rest[run..];
                    continue;
                }
            }
            if let Err(why) = self.take(byte) {
                let at_start = self.frames.is_empty() && byte == b'<';
                self.failed = Some(if at_start { MisreadCause::Html } else { why });
            }
            rest = tail;
        }
        self.decoder.push(&self.scratch, out);
        self.scratch.clear();
        match self.failed {
            Some(why) => Err(self.misread(why)),
            None => Ok(()),
        }
    }

    /// Ends the reply: appends the last bytes and says whether the stream is whole and belongs to `asked`.
    pub fn finish(self, asked: &TargetItemId, out: &mut Vec<u8>) -> Result<(), Setback> {
        let misread = |why| Setback::Misread(why, Said::status(self.status));
        if let Some(why) = self.failed {
            return Err(misread(why));
        }
        if self.state != State::End {
            return Err(misread(MisreadCause::CutOff));
        }
        if self.error_seen {
            let code = self.error_code.unwrap_or_default();
            let said = said_of(self.status, &String::from_utf8_lossy(&code));
            return Err(entry_setback(said));
        }
        let own = self.item_id.as_deref() == Some(asked.as_str().as_bytes());
        if !self.data_seen || !own {
            return Err(misread(MisreadCause::Incomplete));
        }
        match self.decoder.finish(out) {
            Ok(_) => Ok(()),
            Err(Base64Error::Truncated) => Err(Setback::Truncated),
            Err(_) => Err(misread(MisreadCause::Malformed)),
        }
    }

    fn misread(&self, why: MisreadCause) -> Setback {
        Setback::Misread(why, Said::status(self.status))
    }

    fn take(&mut self, byte: u8) -> Result<(), MisreadCause> {
        if let State::Text(sink, escape) = self.state {
            return self.take_text(sink, escape, byte);
        }
        if self.state == State::Literal {
            if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) {
                self.literal.push(byte);
                return if self.literal.len() > 32 {
                    Err(MisreadCause::Malformed)
                } else {
                    Ok(())
                };
            }
            self.end_literal()?;
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Ok(());
        }
        match (self.state, byte) {
            (State::Value | State::ValueOrEnd, _) if byte != b']' => self.begin_value(byte),
            (State::ValueOrEnd | State::After, b']') => self.close(true),
            (State::KeyOrEnd | State::After, b'}') => self.close(false),
            (State::KeyOrEnd | State::Key, b'"') => {
                self.begin_text(Sink::Key);
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::After, b',') => {
                match self.frames.last_mut() {
                    Some(Frame::Array { index }) => {
                        *index += 1;
                        self.state = State::Value;
                    }
                    Some(Frame::Object { .. }) => self.state = State::Key,
                    None => return Err(MisreadCause::Malformed),
                }
                Ok(())
            }
            _ => Err(MisreadCause::Malformed),
        }
    }

    fn begin_value(&mut self, byte: u8) -> Result<(), MisreadCause> {
        let sink = self.place();
        match byte {
            b'"' => {
                match sink {
                    // A second stream would run into the first.
                    Sink::Data if self.data_seen => return Err(MisreadCause::Malformed),
                    Sink::Data => self.data_seen = true,
                    _ => {}
                }
                self.begin_text(sink);
            }
            b'{' | b'[' => {
                if self.frames.len() >= DEPTH_MAX || sink == Sink::Data {
                    return Err(MisreadCause::Malformed);
                }
                if self.in_entry(b"error") {
                    self.error_seen = true;
                }
                let (frame, state) = if byte == b'{' {
                    (Frame::Object { key: Vec::new() }, State::KeyOrEnd)
                } else {
                    (Frame::Array { index: 0 }, State::ValueOrEnd)
                };
                self.frames.push(frame);
                self.state = state;
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.literal.clear();
                self.literal.push(byte);
                self.state = State::Literal;
            }
            _ => return Err(MisreadCause::Malformed),
        }
        Ok(())
    }

    /// What the value that begins here is.
    fn place(&self) -> Sink {
        if self.in_entry(b"data") {
            return Sink::Data;
        }
        if self.in_entry(b"itemId") {
            return Sink::ItemId;
        }
        match &self.frames[..] {
            [
                Frame::Object { key: list },
                Frame::Array { .. },
                Frame::Object { key: error },
                Frame::Object { key },
            ] if list == b"value" && error == b"error" && key == b"code" => Sink::ErrorCode,
            _ => Sink::Nowhere,
        }
    }

    /// True directly behind this key in the first entry of `value`.
    fn in_entry(&self, name: &[u8]) -> bool {
        match &self.frames[..] {
            [
                Frame::Object { key: list },
                Frame::Array { index: 0 },
                Frame::Object { key },
            ] => list == b"value" && key == name,
            _ => false,
        }
    }

    fn begin_text(&mut self, sink: Sink) {
        self.text.clear();
        self.state = State::Text(sink, Escape::None);
    }

    fn take_text(&mut self, sink: Sink, escape: Escape, byte: u8) -> Result<(), MisreadCause> {
        let mut next = Escape::None;
        match escape {
            Escape::None => match byte {
                b'"' => {
                    self.end_text(sink);
                    return Ok(());
                }
                b'\\' => next = Escape::Begun,
                0..0x20 => return Err(MisreadCause::Malformed),
                _ => self.keep(sink, byte)?,
            },
            Escape::Begun => match byte {
                b'u' => {
                    next = Escape::Unicode {
                        digits: 0,
                        value: 0,
                    }
                }
                b'"' | b'\\' | b'/' => self.keep(sink, byte)?,
                b'n' | b'r' | b't' => self.keep(sink, b'\n')?,
                b'b' | b'f' => self.keep(sink, b'?')?,
                _ => return Err(MisreadCause::Malformed),
            },
            Escape::Unicode { digits, value } => {
                let digit = char::from(byte)
                    .to_digit(16)
                    .ok_or(MisreadCause::Malformed)?;
                let value = value * 16 + digit;
                if digits == 3 {
                    // What we read is ASCII; anything else cannot match what it is compared with.
                    self.keep(
                        sink,
                        u8::try_from(value)
                            .ok()
                            .filter(u8::is_ascii)
                            .unwrap_or(b'?'),
                    )?;
                } else {
                    next = Escape::Unicode {
                        digits: digits + 1,
                        value,
                    };
                }
            }
        }
        self.state = State::Text(sink, next);
        Ok(())
    }

    fn keep(&mut self, sink: Sink, byte: u8) -> Result<(), MisreadCause> {
        match sink {
            Sink::Data => self.scratch.push(byte),
            Sink::Nowhere => {}
            Sink::Key | Sink::ItemId | Sink::ErrorCode => {
                if self.text.len() >= TEXT_MAX {
                    return Err(MisreadCause::TooLarge);
                }
                self.text.push(byte);
            }
        }
        Ok(())
    }

    fn end_text(&mut self, sink: Sink) {
        let text = std::mem::take(&mut self.text);
        self.state = self.after_value();
        match sink {
            Sink::Key => {
                if let Some(Frame::Object { key }) = self.frames.last_mut() {
                    *key = text;
                }
                self.state = State::Colon;
            }
            Sink::ItemId => self.item_id = Some(text),
            Sink::ErrorCode => self.error_code = Some(text),
            Sink::Data | Sink::Nowhere => {}
        }
    }

    fn end_literal(&mut self) -> Result<(), MisreadCause> {
        let number = || {
            let text = std::str::from_utf8(&self.literal).ok();
            text.is_some_and(|t| t.parse::<f64>().is_ok_and(f64::is_finite))
        };
        if !matches!(&self.literal[..], b"null" | b"true" | b"false") && !number() {
            return Err(MisreadCause::Malformed);
        }
        self.state = self.after_value();
        Ok(())
    }

    fn close(&mut self, array: bool) -> Result<(), MisreadCause> {
        match (self.frames.pop(), array) {
            (Some(Frame::Array { .. }), true) | (Some(Frame::Object { .. }), false) => {
                self.state = self.after_value();
                Ok(())
            }
            _ => Err(MisreadCause::Malformed),
        }
    }

    fn after_value(&self) -> State {
        if self.frames.is_empty() {
            State::End
        } else {
            State::After
        }
    }
}

#[cfg(test)]
#[path = "export_reader_tests.rs"]
mod tests;
