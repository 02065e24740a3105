//! Reading and writing the few shapes that trees are made of: varints (LEB128,
//! shortest form only), byte strings, and fixed-size ids.

use super::DecodeError;
use crate::id::{ID_LEN, ObjectId};

/// Reads from the front of a byte string; never past its end.
pub(super) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.0.split_first().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(first)
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned LEB128 number of at most 64 bits, in its shortest form.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::BadNumber);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest { Ok(value) } else { Err(DecodeError::BadNumber) };
            }
        }
        Err(DecodeError::BadNumber)
    }

    pub fn varint_u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_| DecodeError::BadNumber)
    }

    /// A length of at most `limit`, before anything of that length is taken.
    pub fn length(&mut self, what: &'static str, limit: usize) -> Result<usize, DecodeError> {
        let len = self.varint()?;
        match usize::try_from(len) {
            Ok(fits) if fits <= limit => Ok(fits),
            _ => Err(DecodeError::TooLarge { what, len, limit: limit as u64 }),
        }
    }

    pub fn string(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.length(what, limit)?;
        self.bytes(len)
    }

    pub fn id(&mut self) -> Result<ObjectId, DecodeError> {
        let bytes = self.bytes(ID_LEN)?;
        ObjectId::from_slice(bytes).ok_or(DecodeError::Truncated)
    }

    /// Nothing may follow.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(DecodeError::TrailingBytes(more)),
        }
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Maps small negative numbers to small unsigned ones.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_encoding() {
        for value in [0, 1, 127, 128, 16383, 16384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut cursor = Cursor(&bytes);
            assert_eq!(cursor.varint(), Ok(value));
            assert_eq!(cursor.finish(), Ok(()));
        }
        for bad in
            [&b"\x80\x00"[..], b"\xff\x80\x00", &[0x80; 11], &[0xff; 10], b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"]
        {
            assert!(Cursor(bad).varint().is_err(), "{bad:?}");
        }
        assert_eq!(Cursor(b"\x80").varint(), Err(DecodeError::Truncated));
    }

    #[test]
    fn signed_numbers_survive_at_both_ends() {
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
