//! Unified differences of texts.

use std::time::Duration;

use similar::TextDiffConfig;

/// Contents above this size are not compared line by line.
pub const MAX_TEXT_LEN: u64 = 16 << 20;
/// A hopeless pair is given up after this and shown coarser.
const PATIENCE: Duration = Duration::from_secs(2);
/// As git and diff show it.
const CONTEXT_LINES: usize = 3;
/// A NUL this early makes a file binary.
const PROBE_LEN: usize = 8 << 10;

/// The difference of two contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextDiff {
    /// At least one side is no text.
    Binary,
    /// At least one side is larger than [`MAX_TEXT_LEN`].
    TooLarge,
    /// Hunks in unified form, without the two lines of names; bytes as they are.
    Hunks(Vec<u8>),
}

/// Compares two texts line by line.
pub fn unified(old: &[u8], new: &[u8]) -> TextDiff {
    if old.len() as u64 > MAX_TEXT_LEN || new.len() as u64 > MAX_TEXT_LEN {
        return TextDiff::TooLarge;
    }
    if is_binary(old) || is_binary(new) {
        return TextDiff::Binary;
    }
    let diff = TextDiffConfig::default().timeout(PATIENCE).diff_lines(old, new);
    let mut hunks = Vec::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        // Writing to memory cannot fail.
        let _ = hunk.to_writer(&mut hunks);
    }
    TextDiff::Hunks(hunks)
}

fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(PROBE_LEN)].contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_is_shown_with_its_neighbours() {
        let TextDiff::Hunks(hunks) = unified(b"a\nb\nc\n", b"a\nB\nc\n") else { panic!() };
        assert_eq!(String::from_utf8(hunks).unwrap(), "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    }

    #[test]
    fn what_is_no_text_is_named_as_such() {
        assert_eq!(unified(b"a\0", b"b"), TextDiff::Binary);
        assert!(matches!(unified(b"caf\xe9\n", b"cafe\n"), TextDiff::Hunks(_)), "Latin-1 is text");
    }
}
