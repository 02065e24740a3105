#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chasm_fuzz::journal(bytes));
