//! Which address becomes which file.
//!
//! `/a/b` becomes `a/b/index.html`: every host shows a folder's index, while only some try `a/b.html`. The price is one
//! redirect from `/a/b` to `/a/b/` on most hosts.

use crate::Error;
use std::{collections::BTreeMap, fs, path::Path};
use tropos_core::CanonicalPath;

/// The file that shows for a folder.
const INDEX: &str = "index.html";

/// Files to write, by their paths below the folder.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// Adds one.
    ///
    /// # Errors
    /// Where there is one of this name already, or a folder.
    pub(super) fn add(&mut self, file: String, bytes: Vec<u8>) -> Result<(), Error> {
        let below = format!("{file}/");
        let is_folder =
            self.0.range(below.clone()..).next().is_some_and(|(other, _)| other.starts_with(&below));
        let above =
            file.match_indices('/').any(|(at, _)| file.get(..at).is_some_and(|up| self.0.contains_key(up)));
        if is_folder || above || self.0.contains_key(&file) {
            return Err(Error::Project(format!(
                "two addresses would be the file {file}, or one a file and the other a folder of that name; give one of \
                 them another path"
            )));
        }
        self.0.insert(file, bytes);
        Ok(())
    }

    /// Whether a static host answers for this decoded path, without its leading slash.
    pub(super) fn answers(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let index = if path.is_empty() { INDEX.to_owned() } else { format!("{path}/{INDEX}") };
        self.0.contains_key(path) || self.0.contains_key(&index)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes them.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        for (file, bytes) in &self.0 {
            let path = folder.join(file);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(Error::file("making", parent))?;
            }
            fs::write(&path, bytes).map_err(Error::file("writing", path))?;
        }
        Ok(())
    }
}

/// The file for a page. What is no HTML lies under its own name, by whose extension hosts say what it is.
///
/// # Errors
/// Where the path has no single meaning, which no page's path has.
pub(super) fn file_of(path: &str, content_type: Option<&str>) -> Result<String, Error> {
    let canonical =
        CanonicalPath::parse(path).map_err(|error| Error::Project(format!("the path {path}: {error}")))?;
    let plain = canonical.segments().collect::<Vec<_>>().join("/");
    let is_html = content_type.is_none_or(|kind| kind.starts_with("text/html"));
    Ok(match plain.as_str() {
        "" => INDEX.to_owned(),
        _ if !is_html || plain.ends_with(".html") => plain,
        _ => format!("{plain}/{INDEX}"),
    })
}

/// Where a browser believes to be that shows the file: what relative links begin at.
pub(super) fn address_of(file: &str) -> String {
    format!("/{}", file.strip_suffix(INDEX).unwrap_or(file))
}

/// A page that leads elsewhere at once. Search engines take it for a redirect.
pub(super) fn redirect(location: &str) -> String {
    let location = location.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>Moved</title>\
         <meta http-equiv=\"refresh\" content=\"0; url={location}\"><link rel=\"canonical\" href=\"{location}\">\
         <meta name=\"robots\" content=\"noindex\"></head>\
         <body><p><a href=\"{location}\">This page has moved.</a></p></body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_indexes_of_folders_and_what_is_no_html_keeps_its_name() {
        let html = Some("text/html; charset=utf-8");
        for (path, kind, expected, address) in [
            ("/", html, "index.html", "/"),
            ("/a", html, "a/index.html", "/a/"),
            ("/a/b", None, "a/b/index.html", "/a/b/"),
            ("/v1.2", html, "v1.2/index.html", "/v1.2/"),
            ("/old.html", html, "old.html", "/old.html"),
            ("/feed.xml", Some("application/xml"), "feed.xml", "/feed.xml"),
            ("/caf%C3%A9/a%20b", html, "café/a b/index.html", "/café/a b/"),
        ] {
            let file = file_of(path, kind).unwrap();
            assert_eq!(file, expected, "{path}");
            assert_eq!(address_of(&file), address, "{path}");
        }
        assert!(file_of("/a/../b", None).is_err());
    }

    #[test]
    fn a_host_answers_for_files_and_for_folders_with_an_index() {
        let mut files = Files::default();
        for file in ["index.html", "a/index.html", "style.css", "b/c/index.html"] {
            files.add(file.to_owned(), Vec::new()).unwrap();
        }
        for (path, expected) in
            [("", true), ("a", true), ("a/", true), ("style.css", true), ("b", false), ("a/b", false)]
        {
            assert_eq!(files.answers(path), expected, "{path:?}");
        }
    }

    #[test]
    fn two_addresses_for_one_file_are_refused() {
        let mut files = Files::default();
        files.add("a/index.html".to_owned(), Vec::new()).unwrap();
        for wrong in ["a/index.html", "a", "a/index.html/index.html"] {
            let error = files.add(wrong.to_owned(), Vec::new()).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        files.add("ab".to_owned(), Vec::new()).unwrap();
    }

    #[test]
    fn a_redirect_leads_there_without_script_and_breaks_out_of_no_attribute() {
        let page = redirect("/b?x=\"1\"&y=<2>");
        assert!(page.contains("content=\"0; url=/b?x=&quot;1&quot;&amp;y=&lt;2>\""), "{page}");
    }
}
