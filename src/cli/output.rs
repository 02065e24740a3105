//! Standard output, and how values are shown to people.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Buffered standard output. A write error is remembered and ends the command:
/// a full disk behind a redirection is not a success. A closed pipe is no error.
pub struct Output(RefCell<BufWriter<Stdout>>);

impl Output {
    pub fn new() -> Output {
        Output(RefCell::new(BufWriter::with_capacity(64 << 10, io::stdout())))
    }

    /// Prints a line.
    pub fn line(&self, line: impl Display) -> anyhow::Result<()> {
        self.with(|out| writeln!(out, "{line}"))
    }

    /// Prints a JSON object on a line of its own.
    pub fn json(&self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string(value)?;
        self.line(text)
    }

    /// Writes to it.
    pub fn with(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
        write(&mut *self.0.borrow_mut()).map_err(|e| StdoutError(e).into())
    }

    /// Writes what is still in the buffer.
    pub fn flush(&self) -> anyhow::Result<()> {
        self.with(|out| out.flush())
    }
}

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct StdoutError(#[source] pub io::Error);

/// A size for people: `12 B`, `3.4 KiB`, `5.6 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A number with its noun: `1 file`, `2,345 files`.
pub fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(number))
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time for people, in UTC.
pub fn time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time for programs.
pub fn time_json(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A path as a JSON value: text where it is text, else hexadecimal digits in an
/// object of its own.
pub fn path_json(bytes: &[u8]) -> serde_json::Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            serde_json::json!({ "hex": hex })
        }
    }
}

/// Colours, where the terminal has them and `NO_COLOR` is not set.
pub fn style(text: impl Display, style: console::Style) -> String {
    style.apply_to(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(1 << 20), "1.0 MiB");
        assert_eq!(size((1 << 20) - 1), "1.0 MiB");
        assert_eq!(size(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
        assert_eq!(count(1_234_567, "file"), "1,234,567 files");
    }
}
