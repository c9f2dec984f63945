//! Holds the seed to the totals and rows of `data/README.md`.

use super::{chance, products, words::search_key};
use crate::data::family::Family;

#[test]
fn totals_are_those_of_the_specification() {
    let all = products().unwrap();
    assert_eq!(all.len(), 4099);
    assert_eq!(all.iter().map(|product| product.stock).sum::<i64>(), 176_795);
    assert_eq!(all.iter().map(|product| product.price_cents).sum::<i64>(), 17_791_600);
    assert_eq!(all.iter().map(|product| product.sold).sum::<i64>(), 217_975);
    assert_eq!(all.iter().filter(|product| product.stock == 0).count(), 251);
    let sizes = Family::ALL.map(|family| all.iter().filter(|product| product.family == family).count());
    assert_eq!(sizes, [280, 234, 222, 456, 217, 461, 434, 285, 442, 269, 322, 477]);
}

#[test]
fn rows_are_those_of_the_specification() {
    let table = "
        2037 linen #faf0e6 960 7 16 17 68 whites matt 3600 49 22
        86 apricot #ffb16d 821 61 109 124 61 oranges eggshell 5000 81 20
        681 clay #b66a50 603 81 67 105 40 reds matt 3600 3 10
        2375 moroccan-blue #115674 427 -49 -65 81 233 blues matt 4800 10 1745
        3851 victorian-garden #558e4c 591 -88 72 114 141 greens matt 4400 0 1959
        2803 petrichor #66cccc 785 -92 -25 95 195 teals matt 4600 24 26
        140 aubergine #372528 287 27 4 28 8 reds eggshell 4800 52 10
        2581 old-rose #c08081 666 76 25 80 18 reds matt 4400 0 61
        1987 lead #212121 248 0 0 0 0 greys matt 3800 67 44
        805 creme-brulee #ffe39b 923 1 95 95 89 yellows matt 4000 23 45";
    let all = products().unwrap();
    for expected in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let id: usize = expected.split(' ').next().unwrap().parse().unwrap();
        let row = &all[id - 1];
        let found = format!(
            "{} {} {} {} {} {} {} {} {} {} {} {} {}",
            row.id,
            row.slug,
            row.hex,
            row.lightness,
            row.lab_a,
            row.lab_b,
            row.chroma,
            row.hue,
            row.family.slug(),
            row.finish,
            row.price_cents,
            row.stock,
            row.sold
        );
        assert_eq!(found, expected);
    }
}

#[test]
fn descriptions_follow_the_rules() {
    let all = products().unwrap();
    for (id, expected) in [
        (
            2375,
            "Moroccan Blue is a deep, soft blue, mixed as a matt. Take it over doors and skirting, and the room grows rather than shrinks.",
        ),
        (1987, "Lead is a quiet near-black, mixed as a matt. It makes a narrow hall look deliberate."),
        (2037, "Linen is a warm white, mixed as a matt. It keeps a north-facing room from feeling cold."),
    ] {
        assert_eq!(all[id - 1].description, expected);
    }
}

#[test]
fn chance_is_the_folded_fnv_hash() {
    assert_eq!(chance("moroccan-blue", "price"), 3_757_229_151);
}

#[test]
fn names_are_searched_without_accents() {
    for (name, key) in
        [("Crème Brûlée", "creme brulee"), ("H₂O", "h2o"), ("Nattō", "natto"), ("Lion’s Roar", "lion’s roar")]
    {
        assert_eq!(search_key(name), key);
    }
}

#[test]
fn the_colours_that_pages_name_are_there() {
    let all = products().unwrap();
    for slug in crate::components::NAMED.into_iter().flatten() {
        assert!(all.iter().any(|product| product.slug == *slug), "{slug}");
    }
}
