//! The escapes of vis(3), by which mtree writes names.

use std::fmt::Write as _;

/// Writes what is not printable ASCII, and what means something in mtree, as `\ooo`.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() && !b"\\#=*?[".contains(&byte) {
            text.push(byte.into());
        } else {
            write!(text, "\\{byte:03o}").expect("writing to a string cannot fail");
        }
    }
    text
}

/// Undoes vis(3): octal, C, control and meta escapes. `None` for others.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        let digits = rest.iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
        if digits > 0 {
            let value = rest[..digits].iter().fold(0u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
            bytes.push(u8::try_from(value).ok()?);
            rest = &rest[digits..];
            continue;
        }
        rest = after;
        bytes.push(match escape {
            b'a' => 7,
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'v' => 11,
            b'f' => 12,
            b'r' => 13,
            b's' => b' ',
            b'E' => 27,
            b'\\' | b'#' => escape,
            b'^' => control(&mut rest)?,
            b'M' => {
                let (&kind, after) = rest.split_first()?;
                rest = after;
                0x80 | match kind {
                    b'^' => control(&mut rest)?,
                    b'-' => {
                        let (&plain, after) = rest.split_first()?;
                        rest = after;
                        plain
                    }
                    _ => return None,
                }
            }
            _ => return None,
        });
    }
    Some(bytes)
}

fn control(rest: &mut &[u8]) -> Option<u8> {
    let (&letter, after) = rest.split_first()?;
    *rest = after;
    Some(if letter == b'?' { 0x7f } else { letter & 0x1f })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_vis_writes_is_read() {
        let read = |text: &str| unescape(text.as_bytes());
        assert_eq!(read("a\\040b\\s\\t\\\\\\#\\7").unwrap(), b"a b \t\\#\x07");
        assert_eq!(read("\\^A\\^?\\M-C\\M^A\\M^?").unwrap(), b"\x01\x7f\xc3\x81\xff");
        for bad in ["\\", "a\\", "\\q", "\\M", "\\M-", "\\Mx", "\\^", "\\400", "\\777"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_byte_survives() {
        let all: Vec<u8> = (0..=255).collect();
        let text = escape(&all);
        assert!(text.bytes().all(|b| b.is_ascii_graphic()));
        assert_eq!(unescape(text.as_bytes()).unwrap(), all);
    }
}
