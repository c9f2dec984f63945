//! What the shop says of a colour, by rule.

use super::colour::Lab;
use crate::data::family::Family;

const LIGHT: [&str; 4] = [
    "It opens up a small room and forgives an uneven wall.",
    "It keeps a north-facing room from feeling cold.",
    "Paint the ceiling with it too, and the corners disappear.",
    "Woodwork in the same colour keeps it calm.",
];
const MID: [&str; 4] = [
    "It holds its own on all four walls and settles at dusk.",
    "Two coats over a pale primer, and it needs nothing else in the room.",
    "It changes more than most between morning and lamplight, so try a test patch first.",
    "Halfway up the wall is enough, with something pale above.",
];
const DARK: [&str; 4] = [
    "It makes a narrow hall look deliberate.",
    "Use it where you sit in the evening, and light it from below.",
    "Books, brass and bare timber look better against it.",
    "Take it over doors and skirting, and the room grows rather than shrinks.",
];

/// The description of a colour; `chance` picks the last sentence.
pub fn description(name: &str, lab: Lab, family: Family, finish: &str, chance: u32) -> String {
    let Lab { lightness, chroma, hue, .. } = lab;
    let depth = match lightness {
        900.. => "very pale",
        770.. => "pale",
        560.. => "mid-toned",
        380.. => "deep",
        _ => "very dark",
    };
    let voice = match chroma {
        140.. => "strong",
        90.. => "clear",
        45.. => "soft",
        _ => "quiet",
    };
    let kind = match family {
        Family::Whites if chroma < 12 => "a clean white".to_owned(),
        Family::Whites if (30..130).contains(&hue) => "a warm white".to_owned(),
        Family::Whites => "a cool white".to_owned(),
        Family::Greys if lightness < 280 => format!("a {voice} near-black"),
        family => format!("a {depth}, {voice} {}", family.singular()),
    };
    let article = if finish == "eggshell" { "an" } else { "a" };
    let rooms = match lightness {
        770.. => LIGHT,
        480.. => MID,
        _ => DARK,
    };
    let room = rooms.get(chance as usize % rooms.len()).copied().unwrap_or_default();
    format!("{name} is {kind}, mixed as {article} {finish}. {room}")
}

/// A name as it is searched: in the compatible form of Unicode, without accents, in lower case.
pub fn search_key(name: &str) -> String {
    use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
    name.nfkd().filter(|letter| !is_combining_mark(*letter)).collect::<String>().to_lowercase()
}
