//! Where a visitor stands among a thousand.

use xxhash_rust::xxh3::xxh3_64;

/// All of a thousand.
pub(super) const WHOLE: u16 = 1000;

/// A number below 1,000, the same for ever for the same parts, and spread evenly over different ones. The parts are told apart
/// by a NUL, which no cookie has. XXH3 is stable across versions and machines; it is no secret, and need not be: whoever may
/// set a cookie may set the one that names the variant.
pub(super) fn bucket(parts: &[&str]) -> u16 {
    below_whole(xxh3_64(parts.join("\0").as_bytes()))
}

/// A number below 1,000 of a chance number: the high bits of a product, which are even to one in 10^16.
pub(super) fn below_whole(random: u64) -> u16 {
    let high = (u128::from(random) * u128::from(WHOLE)) >> 64;
    u16::try_from(high).unwrap_or(0)
}
