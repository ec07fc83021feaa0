#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roomcast::fuzzing::json_documents(data));
