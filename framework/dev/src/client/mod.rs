//! The scripts that the dev server adds to each page of development, and to none of a build.
//!
//! | file | does |
//! |---|---|
//! | `toolbar.js` | shows what there is to know of the page's render, and what the mode advisor says |

/// All scripts, by the names under which the dev server gives them.
const FILES: &[(&str, &str)] = &[("toolbar.js", include_str!("toolbar.js"))];

/// The text of a script, such as `toolbar.js`.
pub fn file(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::file;

    #[test]
    fn a_script_is_found_by_its_name_alone() {
        assert!(file("toolbar.js").is_some_and(|text| text.contains("attachShadow")));
        assert_eq!(file("mod.rs"), None);
    }
}
