//! The scripts that the dev server adds to each page of development, and to none of a build.
//!
//! | file | does |
//! |---|---|
//! | `client.js` | follows the dev server's events; imports the others, but for the toolbar |
//! | `patch.js` | patches views in the open page |
//! | `keep.js` | loads the page again without losing scroll, focus and what was entered |
//! | `overlay.js` | shows errors over the page |
//! | `indicator.js` | shows that something is built |
//! | `console.js` | sends errors and warnings of the console to the terminal |
//! | `toolbar.js` | shows what there is to know of the page's render, and what the mode advisor says |
//!
//! A page loads `client.js` as a module from `/_tropos/dev/client.js`; the others are imported by it from beside it. So
//! that it comes before the loader of islands, it must stand in the head. `?v=N` tells it the number of the process that
//! served the page.

/// All scripts, by the names under which the dev server gives them.
const FILES: &[(&str, &str)] = &[
    ("client.js", include_str!("client.js")),
    ("console.js", include_str!("console.js")),
    ("indicator.js", include_str!("indicator.js")),
    ("keep.js", include_str!("keep.js")),
    ("overlay.js", include_str!("overlay.js")),
    ("patch.js", include_str!("patch.js")),
    ("toolbar.js", include_str!("toolbar.js")),
];

/// The text of a script, such as `toolbar.js`; `None` where there is no such.
pub fn file(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_found_by_its_name_alone() {
        assert!(file("toolbar.js").is_some_and(|text| text.contains("attachShadow")));
        assert_eq!(file("mod.rs"), None);
    }

    #[test]
    fn each_script_finds_what_it_imports() {
        for (name, text) in FILES {
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let from = line.rsplit("'./").next().and_then(|rest| rest.strip_suffix('\''));
                assert!(from.is_some_and(|from| file(from).is_some()), "{name}: {line}");
            }
        }
    }
}
