//! What changed between two renders of a page, and the message that says so.
//!
//! A change is one splice on the text of the HTML, from the first piece that differs to the last. So the inserted text
//! holds every changed tag and text node whole, and a reader of the stream can look for a value in it. Positions count
//! UTF-16 code units, as a string does in the browser.
//!
//! A splice is small for one change in one place, and nearly the whole page for two far apart: the price of a message
//! that needs no tree on the server and five lines in the browser.

use crate::{Version, html::Pieces};
use serde::{Deserialize, Serialize};

/// What turns one HTML text into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch {
    /// They are the same.
    None,
    /// The new text.
    Whole {
        /// All of it.
        html: String,
    },
    /// One piece of the old text makes place for another.
    Splice {
        /// Where the piece begins, in UTF-16 code units.
        at: usize,
        /// How long it is, in UTF-16 code units.
        remove: usize,
        /// What comes in its place.
        insert: String,
    },
}

/// What a splice says beside what it inserts, in bytes of JSON, at most: base, position and length.
const SPLICE_OVERHEAD: usize = 96;

/// What turns `old` into `new`. A splice, where it makes the shorter message.
///
/// ```
/// use tropos_live::{Patch, diff::diff};
/// let (old, new) = (format!("<p>{}</p><b>1</b>", "long ".repeat(100)), format!("<p>{}</p><b>23</b>", "long ".repeat(100)));
/// assert_eq!(diff(&old, &new), Patch::Splice { at: 510, remove: 1, insert: "23".into() });
/// ```
pub fn diff(old: &str, new: &str) -> Patch {
    if old == new {
        return Patch::None;
    }
    let (old_pieces, new_pieces): (Vec<_>, Vec<_>) = (Pieces::of(old).collect(), Pieces::of(new).collect());
    let start: usize =
        old_pieces.iter().zip(&new_pieces).take_while(|(a, b)| a == b).map(|(piece, _)| piece.len()).sum();
    // What begins and ends alike must not be counted twice.
    let room = old.len().min(new.len()) - start;
    let mut end = 0;
    for (a, b) in old_pieces.iter().rev().zip(new_pieces.iter().rev()) {
        if a != b || end + a.len() > room {
            break;
        }
        end += a.len();
    }
    let (Some(before), Some(removed), Some(insert)) =
        (old.get(..start), old.get(start..old.len() - end), new.get(start..new.len() - end))
    else {
        return Patch::Whole { html: new.to_owned() };
    };
    if insert.len() + SPLICE_OVERHEAD >= new.len() {
        return Patch::Whole { html: new.to_owned() };
    }
    Patch::Splice { at: utf16_len(before), remove: utf16_len(removed), insert: insert.to_owned() }
}

impl Patch {
    /// What the script in the browser does with it. None where a splice does not fit the text.
    pub fn apply(&self, old: &str) -> Option<String> {
        match self {
            Patch::None => Some(old.to_owned()),
            Patch::Whole { html } => Some(html.clone()),
            Patch::Splice { at, remove, insert } => {
                let units: Vec<u16> = old.encode_utf16().collect();
                let before = units.get(..*at)?;
                let after = units.get(at.checked_add(*remove)?..)?;
                Some(String::from_utf16(before).ok()? + insert + &String::from_utf16(after).ok()?)
            }
        }
    }
}

/// What is sent to the page: the data of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Message {
    /// `{"v":"<version>","base":"<version>","at":0,"del":0,"ins":""}`
    Splice {
        /// The version that it makes.
        v: Version,
        /// The version to whose text it applies.
        base: Version,
        /// Where, in UTF-16 code units.
        at: usize,
        /// How much goes, in UTF-16 code units.
        del: usize,
        /// What comes.
        ins: String,
    },
    /// `{"v":"<version>","html":"<the whole>"}`
    Whole {
        /// The version that it makes.
        v: Version,
        /// All of it.
        html: String,
    },
}

impl Message {
    /// The whole of a version.
    pub fn whole(v: Version, html: &str) -> Self {
        Self::Whole { v, html: html.to_owned() }
    }

    /// What turns one version into another; none where they are the same.
    pub fn between(base: (Version, &str), new: (Version, &str)) -> Option<Self> {
        match diff(base.1, new.1) {
            Patch::None => None,
            Patch::Whole { html } => Some(Self::Whole { v: new.0, html }),
            Patch::Splice { at, remove, insert } => {
                Some(Self::Splice { v: new.0, base: base.0, at, del: remove, ins: insert })
            }
        }
    }

    /// The data of the event: JSON on one line.
    pub fn to_json(&self) -> String {
        // Strings and numbers under string keys: there is nothing in it that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// So long that a splice is the shorter message.
    fn page(inner: &str) -> String {
        format!(
            "<header>𝄞 {}</header><main>{inner}</main><footer>{}</footer>",
            "before ".repeat(50),
            "after ".repeat(50)
        )
    }

    #[test]
    fn a_splice_holds_each_changed_tag_and_text_whole() {
        let table = [
            ("a text grows at its end", "<p>12</p>", "<p>123</p>", "123"),
            ("a text grows at its start", "<p>12</p>", "<p>012</p>", "012"),
            ("an attribute changes", "<p class=\"ab\">x</p>", "<p class=\"ac\">x</p>", "<p class=\"ac\">"),
            ("an entity changes", "<p>a&amp;b</p>", "<p>a&lt;b</p>", "a&lt;b"),
            ("a tag changes its name", "<em>x</em>", "<b>x</b>", "<b>x</b>"),
            ("a character beyond the basic plane changes its second half", "<p>a😀</p>", "<p>a😁</p>", "a😁"),
            ("an element is added beside its like", "<li>x</li>", "<li>x</li><li>x</li>", "<li>x</li>"),
            ("two texts change", "<p>1</p><hr><p>2</p>", "<p>3</p><hr><p>4</p>", "3</p><hr><p>4"),
            ("a text goes", "<p>1</p>", "<p></p>", ""),
            ("a script's text changes", "<script>'<p>1'</script>", "<script>'<p>2'</script>", "'<p>2'"),
        ];
        for (name, old, new, expected) in table {
            let (old, new) = (page(old), page(new));
            let patch = diff(&old, &new);
            assert!(
                matches!(&patch, Patch::Splice { insert, .. } if insert == expected),
                "{name}: {patch:?}"
            );
            assert_eq!(patch.apply(&old).as_deref(), Some(&*new), "{name}");
        }
    }

    #[test]
    fn positions_count_utf16_units() {
        let pad = "x".repeat(200);
        let patch = diff(&format!("<b>é😀</b><p>1</p>{pad}"), &format!("<b>é😀</b><p>2</p>{pad}"));
        assert!(matches!(patch, Patch::Splice { at: 13, .. }), "3 + 3 + 4 + 3, not {patch:?}");
        let patch = diff(&format!("<b>é😀</b>{pad}<p>😀</p>"), &format!("<b>é😀</b>{pad}<p>2</p>"));
        assert!(matches!(patch, Patch::Splice { remove: 2, .. }), "{patch:?}");
    }

    #[test]
    fn a_splice_that_does_not_fit_is_refused() {
        let table = [(3, 0), (1, 2), (usize::MAX, 1), (1, usize::MAX)];
        for (at, remove) in table {
            assert_eq!(
                Patch::Splice { at, remove, insert: String::new() }.apply("ab"),
                None,
                "{at} {remove}"
            );
        }
        assert_eq!(Patch::Splice { at: 1, remove: 0, insert: String::new() }.apply("😀"), None);
    }

    #[test]
    fn messages_have_the_form_that_the_script_reads() {
        let (old, new) = (page("<p>1</p>"), page("<p>\u{2028}2\n</p>"));
        let (v1, v2) = (Version::of(&old), Version::of(&new));
        let splice = Message::between((v1, &old), (v2, &new)).unwrap().to_json();
        let at = utf16_len(&old[..old.find("1<").unwrap()]);
        assert_eq!(
            splice,
            format!(r#"{{"v":"{v2}","base":"{v1}","at":{at},"del":1,"ins":"{}2\n"}}"#, '\u{2028}')
        );
        assert_eq!(Message::whole(v1, "<p>\"").to_json(), format!(r#"{{"v":"{v1}","html":"<p>\""}}"#));
        assert_eq!(Message::between((v1, &old), (v1, &old)), None);
    }

    /// Strings that share much: pieces of markup out of a small alphabet.
    fn html() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "<p>",
            "</p>",
            "<b class=\"x\">",
            "<b class=\"y\">",
            "</b>",
            "a",
            "b",
            "é",
            "😀",
            "😁",
            "&amp;",
            "<",
            ">",
            "\"",
            "<!-- c -->",
            "<!>",
            "<script>",
            "</script>",
            "text that is somewhat longer than the others are ",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn applying_a_diff_gives_the_new_text(old in html(), new in html()) {
            prop_assert_eq!(diff(&old, &new).apply(&old), Some(new));
        }

        #[test]
        fn one_change_in_a_page_gives_the_new_page(
            before in html(), old in html(), new in html(), after in html(),
        ) {
            let (old, new) = (format!("{before}{old}{after}"), format!("{before}{new}{after}"));
            prop_assert_eq!(diff(&old, &new).apply(&old), Some(new));
        }

        #[test]
        fn a_splice_is_never_longer_than_the_whole(before in html(), old in html(), new in html()) {
            let (old, new) = (format!("{before}{old}"), format!("{before}{new}"));
            let (v1, v2) = (Version::of(&old), Version::of(&new));
            if let Some(message @ Message::Splice { .. }) = Message::between((v1, &old), (v2, &new)) {
                prop_assert!(message.to_json().len() < Message::whole(v2, &new).to_json().len());
                prop_assert_eq!(serde_json::from_str::<Message>(&message.to_json()).ok(), Some(message));
            }
        }
    }
}
