//! zstd, with declared sizes and bounded memory.
//!
//! Whoever decompresses knows the size beforehand, from a tree entry or a record
//! header, and gets exactly that many bytes or an error: a frame that would
//! yield more is refused before memory for it is taken.
//!
//! A *reference prefix* is an older version of the same object, which the
//! decompressor must have too. It makes zstd a delta encoder: the new version of
//! a directory costs little more than what changed in it.

use std::cell::RefCell;

use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, DParameter, ResetDirective};

/// Largest piece that is compressed or decompressed in memory at once.
pub const MAX_PIECE_LEN: usize = 64 << 20;
/// Level used for what is written once and read often.
pub const DEFAULT_LEVEL: i32 = 3;
/// Largest window, as a power of two, that a reader must accept.
const MAX_WINDOW_LOG: u32 = 27;

/// Bytes that are not what their header says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The frame cannot be decoded.
    #[error("damaged zstd frame: {0}")]
    Damaged(&'static str),
    /// The frame holds more or fewer bytes than declared.
    #[error("zstd frame holds another number of bytes than the {declared} declared")]
    WrongSize {
        /// What the record header says.
        declared: u64,
    },
    /// The declared size is beyond [`MAX_PIECE_LEN`].
    #[error("declared size of {0} bytes is over the limit of {MAX_PIECE_LEN}")]
    TooLarge(u64),
}

thread_local! {
    static COMPRESSOR: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Compresses `data`; `None` if that saves less than a thirty-second of it.
pub fn compress(data: &[u8], level: i32) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|context| {
        context.reset(ResetDirective::SessionAndParameters).ok()?;
        compress_with(context, data, level)
    })
}

/// Compresses `data` as its difference to `prefix`; `None` as for [`compress`].
pub fn compress_delta(prefix: &[u8], data: &[u8], level: i32) -> Option<Vec<u8>> {
    let mut context = CCtx::create();
    // The window must reach back over the whole prefix.
    let reach = (prefix.len() + data.len()).next_power_of_two().trailing_zeros();
    context.set_parameter(CParameter::WindowLog(reach.clamp(10, MAX_WINDOW_LOG))).ok()?;
    context.ref_prefix(prefix).ok()?;
    compress_with(&mut context, data, level)
}

fn compress_with(context: &mut CCtx<'_>, data: &[u8], level: i32) -> Option<Vec<u8>> {
    context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
    // Both stand in the record header already.
    context.set_parameter(CParameter::ContentSizeFlag(false)).ok()?;
    context.set_parameter(CParameter::ChecksumFlag(false)).ok()?;
    let worthwhile = data.len() - data.len() / 32;
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(data.len()));
    context.compress2(&mut out, data).ok()?;
    (out.len() < worthwhile).then_some(out)
}

/// Undoes [`compress`].
pub fn decompress(frame: &[u8], declared: u64) -> Result<Vec<u8>, Error> {
    DECOMPRESSOR.with_borrow_mut(|context| {
        // A failed frame leaves the session in the middle of it.
        let _ = context.reset(ResetDirective::SessionOnly);
        decompress_with(context, frame, declared)
    })
}

/// Undoes [`compress_delta`], given the same prefix.
pub fn decompress_delta(prefix: &[u8], frame: &[u8], declared: u64) -> Result<Vec<u8>, Error> {
    let mut context = DCtx::create();
    context
        .set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))
        .and_then(|_| context.ref_prefix(prefix))
        .map_err(damaged)?;
    decompress_with(&mut context, frame, declared)
}

fn decompress_with(context: &mut DCtx<'_>, frame: &[u8], declared: u64) -> Result<Vec<u8>, Error> {
    let size = usize::try_from(declared).ok().filter(|&size| size <= MAX_PIECE_LEN).ok_or(Error::TooLarge(declared))?;
    // The capacity bounds what a hostile frame can write: one byte more than
    // declared is enough to notice it.
    let mut out = Vec::with_capacity(size + 1);
    match context.decompress(&mut out, frame) {
        Ok(_) if out.len() == size => Ok(out),
        Ok(_) => Err(Error::WrongSize { declared }),
        Err(code) => Err(damaged(code)),
    }
}

fn damaged(code: usize) -> Error {
    Error::Damaged(zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Vec<u8> {
        (0..4000u32).flat_map(|i| format!("line {}\n", i * i).into_bytes()).collect()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let data = text();
        let frame = compress(&data, DEFAULT_LEVEL).unwrap();
        assert_eq!(decompress(&frame, data.len() as u64).unwrap(), data);
    }

    #[test]
    fn a_delta_against_the_last_version_costs_what_changed() {
        let old = text();
        let mut new = old.clone();
        new.splice(20_000..20_010, *b"something else");
        let delta = compress_delta(&old, &new, DEFAULT_LEVEL).unwrap();
        assert!(delta.len() < 300, "{}", delta.len());
        assert_eq!(decompress_delta(&old, &delta, new.len() as u64).unwrap(), new);
    }

    #[test]
    fn incompressible_data_is_left_alone() {
        let noise: Vec<u8> = (0..200u8).map(|i| i.wrapping_mul(167)).collect();
        assert_eq!(compress(&noise, DEFAULT_LEVEL), None);
        assert_eq!(compress(b"", DEFAULT_LEVEL), None);
    }

    #[test]
    fn a_frame_of_another_size_is_refused() {
        let data = text();
        let frame = compress(&data, DEFAULT_LEVEL).unwrap();
        for wrong in [0, 1, data.len() as u64 - 1, data.len() as u64 + 1] {
            assert!(decompress(&frame, wrong).is_err(), "{wrong}");
        }
        assert_eq!(decompress(&frame, u64::MAX), Err(Error::TooLarge(u64::MAX)));
        assert!(decompress(&frame[..frame.len() - 1], data.len() as u64).is_err());
        assert_eq!(decompress(&frame, data.len() as u64).unwrap(), data, "the context recovers");
    }
}
