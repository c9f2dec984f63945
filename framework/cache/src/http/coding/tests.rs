use super::{Coding::*, *};
use proptest::prelude::*;

fn chosen(accept: &str, available: Codings) -> Coding {
    negotiate(Some(&HeaderValue::from_str(accept).unwrap()), available)
}

fn all() -> Codings {
    Coding::ALL.into_iter().collect()
}

#[test]
fn the_heaviest_acceptable_coding_wins_and_preference_decides_between_equals() {
    let cases = [
        // what browsers send
        ("gzip, deflate, br, zstd", Brotli),
        ("gzip, deflate, br", Brotli),
        ("gzip, deflate, zstd", Zstd),
        ("gzip, deflate", Gzip),
        ("identity", Identity),
        ("", Identity),
        // weights
        ("br;q=0.5, gzip", Gzip),
        ("br;q=0.001, gzip;q=0.002", Gzip),
        ("br;q=0.5, zstd;q=0.5, gzip;q=0.5", Brotli),
        ("identity, gzip;q=0.5", Identity),
        ("identity;q=0.5, gzip;q=0.5", Gzip),
        ("gzip;q=0.001", Gzip),
        ("br;q=0", Identity),
        ("br;q=0, gzip;q=0, zstd;q=0", Identity),
        ("br;q=1.000", Brotli),
        ("br;Q=0.9", Brotli),
        ("br ; q=0.9\t, gzip", Gzip),
        // everything else
        ("*", Brotli),
        ("*;q=0.5, gzip", Gzip),
        ("*, br;q=0", Zstd),
        ("gzip, *;q=0", Gzip),
        // no plain body, please
        ("identity;q=0", Identity), // nothing else was allowed either
        ("identity;q=0, gzip", Gzip),
        ("identity;q=0, *", Brotli),
        ("*;q=0", Identity),
        ("identity, *;q=0", Identity),
        // spelling
        ("GZIP", Gzip),
        ("x-gzip", Gzip),
        ("deflate, compress", Identity),
        (",, br,", Brotli),
        // named twice
        ("br, br;q=0, gzip", Gzip),
        // malformed
        ("br;q=2", Identity),
        ("br;q=1.001", Identity),
        ("br;q=0.1234", Identity),
        ("br;q=-1", Identity),
        ("br;q=", Identity),
        ("br;q", Identity),
        ("br;level=5", Identity),
        ("br;q=0.5;q=0.6", Identity),
        ("br gzip", Identity),
        ("gzip, b@r", Identity),
        (";q=1", Identity),
    ];
    for (accept, expected) in cases {
        assert_eq!(chosen(accept, all()), expected, "{accept}");
    }
}

#[test]
fn what_is_not_available_is_not_chosen() {
    let plain = Codings::default().with(Identity);
    for accept in ["br", "*", "identity;q=0, br"] {
        assert_eq!(chosen(accept, plain), Identity, "{accept}");
    }
    assert_eq!(chosen("br, gzip;q=0.1", plain.with(Gzip)), Gzip);
}

#[test]
fn a_header_that_is_not_text_counts_as_malformed_and_several_lines_as_one() {
    let bytes = HeaderValue::from_bytes(b"br, \xff").unwrap();
    assert_eq!(negotiate(Some(&bytes), all()), Identity);
    let lines = [HeaderValue::from_static("br;q=0.1"), HeaderValue::from_static("gzip")];
    assert_eq!(negotiate_lines(&lines, all()), Gzip);
}

proptest! {
    #[test]
    fn any_header_gets_an_answer_that_is_available(bytes in prop::collection::vec(32u8..=255, 0..80), set in 0u8..16) {
        let available = Codings(set).with(Identity);
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            prop_assert!(available.has(negotiate(Some(&value), available)));
        }
    }

    #[test]
    fn nothing_lighter_is_chosen_over_something_heavier(weights in prop::array::uniform4(0u16..=1000), set in 0u8..16) {
        let available = Codings(set).with(Identity);
        let accept = Coding::ALL.iter().zip(weights)
            .map(|(coding, weight)| format!("{};q={}.{:03}", coding.as_str(), weight / 1000, weight % 1000))
            .collect::<Vec<_>>()
            .join(", ");
        let answer = chosen(&accept, available);
        let weight = |coding: Coding| weights[coding as usize];
        let best = Coding::ALL.into_iter().filter(|c| available.has(*c)).map(weight).max().unwrap();
        if best > 0 {
            prop_assert_eq!(weight(answer), best, "{}", accept);
            let earlier = Coding::ALL.into_iter().find(|c| available.has(*c) && weight(*c) == best).unwrap();
            prop_assert_eq!(answer, earlier);
        } else {
            prop_assert_eq!(answer, Identity);
        }
    }

    #[test]
    fn the_order_of_the_elements_does_not_matter(mut elements in Just(vec!["br;q=0.3", "gzip;q=0.8", "*;q=0.5", "identity;q=0.1"]).prop_shuffle()) {
        prop_assert_eq!(chosen(&elements.join(","), all()), Gzip);
        elements.retain(|e| !e.starts_with("gzip"));
        prop_assert_eq!(chosen(&elements.join(","), all()), Zstd);
    }
}
