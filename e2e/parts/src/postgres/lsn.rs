//! Positions in the write-ahead log.

/// A position as PostgreSQL writes it (`16/B374D848`: two halves in hexadecimal), as a number that can be compared.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let [high, low] = [high, low].map(|half| u32::from_str_radix(half, 16).ok());
    Some(u64::from(high?) << 32 | u64::from(low?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_of_a_position_are_hexadecimal() {
        for (text, expected) in [
            ("0/0", Some(0)),
            ("0/1500028", Some(0x150_0028)),
            ("16/B374D848", Some(0x16_B374_D848)),
            ("FFFFFFFF/FFFFFFFF", Some(u64::MAX)),
            ("0/1FFFFFFFF", None),
            ("16", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
