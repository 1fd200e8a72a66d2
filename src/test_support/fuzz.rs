//! What the fuzz tests share: a measure of what it costs to read something. They stand beside what they test.
//!
//! They try a little in each run of the tests, and more by hand: `PROPTEST_CASES=1000000 cargo test --lib fuzz`.

use std::time::{Duration, Instant};

use proptest::prelude::*;

/// Far more than reading anything takes, also in a debug build on a busy machine; far less than a quarter of a MiB takes
/// if each of its bytes is compared with each.
const PATIENCE: Duration = Duration::from_secs(5);

/// Cases of each property, if nobody says how many: all together they take a few seconds.
const CASES: u32 = 2_000;

/// How much is tried.
pub(crate) fn budget() -> ProptestConfig {
    let said = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    let cases = if said { default.cases } else { CASES };
    ProptestConfig { cases, ..default }
}

/// Some work's result, and what it cost.
pub(crate) struct Measured<T> {
    pub(crate) result: T,
    /// The most bytes that it held at once, its result among them.
    pub(crate) held: usize,
    /// The bytes of its result; none if it gave back more than it took.
    pub(crate) kept: usize,
}

/// Does some work and says what it cost.
///
/// # Panics
///
/// If it takes suspiciously long.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> Measured<T> {
    let mut result = None;
    let began = Instant::now();
    let info = allocation_counter::measure(|| result = Some(work()));
    let took = began.elapsed();
    assert!(took < PATIENCE, "it took {took:?}");
    Measured {
        result: result.expect("the work was done"),
        held: usize::try_from(info.bytes_max).expect("it fits into memory"),
        kept: usize::try_from(info.bytes_current).unwrap_or(0),
    }
}

/// Any bytes, mostly of the kind that means something to those who read them.
pub(crate) fn any_bytes(meaningful: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => prop::sample::select(meaningful).prop_map(|part| part.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (any::<u8>(), 0_usize..2000).prop_map(|(byte, count)| vec![byte; count]),
    ];
    prop::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

#[test]
fn what_is_held_is_measured() {
    let measured = measured(|| {
        drop(vec![0_u8; 10_000]);
        vec![0_u8; 5_000]
    });
    assert_eq!(measured.result.len(), 5_000);
    assert_eq!((measured.held, measured.kept), (10_000, 5_000));
}
