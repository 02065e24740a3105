//! Properties of everything that is encoded, stored, compared or built, tried on
//! random values.

// Helpers of tests, too, are tests.
#![allow(clippy::unwrap_used)]

mod differences;
mod encodings;
mod fixed_point;
mod packs;
mod refs;
mod values;
