//! Becoming a member of the workspace that is around a new application: cargo refuses a package that lies within a
//! workspace and is neither its member nor excluded.

use crate::Error;
use std::{
    fs,
    path::{Path, PathBuf},
};
use toml_edit::{Array, DocumentMut, Item, TableLike, value};

/// A workspace around a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace {
    manifest: PathBuf,
    text: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Joined {
    /// A pattern of the members covers it.
    Already,
    /// It was added.
    Added { manifest: PathBuf, member: String },
    /// Its members are written in a way that this does not change.
    ByHand { manifest: PathBuf, member: String },
}

/// What is to be done with a workspace's manifest.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    None,
    /// The new text.
    Text(String),
    Unknown,
}

/// The workspace that cargo would find from this folder, unless it excludes the folder.
///
/// # Errors
/// Where a manifest above can be neither read nor understood: cargo would not get further either.
pub(crate) fn around(application: &Path) -> Result<Option<Workspace>, Error> {
    for folder in application.ancestors().skip(1) {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let text = fs::read_to_string(&manifest).map_err(Error::file("reading", &manifest))?;
        let document = parse(&manifest, &text)?;
        // A package without a workspace is passed by, as cargo does.
        if let Some(workspace) = table(&document) {
            let excluded = listed(workspace, "exclude");
            let member = member(folder, application);
            let is_beneath = |path: &str| beneath(path, &member);
            return Ok(
                (!excluded.iter().any(|path| is_beneath(path))).then_some(Workspace { manifest, text })
            );
        }
    }
    Ok(None)
}

impl Workspace {
    /// Makes the application a member.
    ///
    /// # Errors
    /// Where the manifest cannot be written.
    pub(crate) fn join(self, application: &Path) -> Result<Joined, Error> {
        let root = self.manifest.parent().unwrap_or(Path::new("."));
        let member = member(root, application);
        let document = parse(&self.manifest, &self.text)?;
        Ok(match add(document, &member) {
            Change::None => Joined::Already,
            Change::Unknown => Joined::ByHand { manifest: self.manifest, member },
            Change::Text(text) => {
                fs::write(&self.manifest, text).map_err(Error::file("writing", &self.manifest))?;
                Joined::Added { manifest: self.manifest, member }
            }
        })
    }
}

fn parse(manifest: &Path, text: &str) -> Result<DocumentMut, Error> {
    text.parse().map_err(|error| {
        Error::Project(format!(
            "{} is above the new application, and is no TOML: {error}",
            manifest.display()
        ))
    })
}

fn table(document: &DocumentMut) -> Option<&dyn TableLike> {
    document.get("workspace").and_then(Item::as_table_like)
}

fn listed(workspace: &dyn TableLike, key: &str) -> Vec<String> {
    let array = workspace.get(key).and_then(Item::as_array);
    array.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The application's path below the workspace's root, with `/`.
fn member(root: &Path, application: &Path) -> String {
    let within = application.strip_prefix(root).unwrap_or(application);
    within.to_string_lossy().replace('\\', "/")
}

/// Adds a member, and leaves everything else as it is.
fn add(mut document: DocumentMut, member: &str) -> Change {
    let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_like_mut) else {
        return Change::Unknown;
    };
    if listed(workspace, "members").iter().any(|pattern| covers(pattern, member)) {
        return Change::None;
    }
    match workspace.get_mut("members") {
        None => {
            workspace.insert("members", value(Array::from_iter([member])));
        }
        Some(members) => match members.as_array_mut() {
            Some(members) => push(members, member),
            None => return Change::Unknown,
        },
    }
    Change::Text(document.to_string())
}

/// Adds to an array in the manner in which it is written: a line for each, or all in one.
fn push(members: &mut Array, member: &str) {
    let last = members.iter().last();
    let before = last.and_then(|last| last.decor().prefix()).and_then(|prefix| prefix.as_str());
    let before = before.unwrap_or_default().to_owned();
    let mut new = toml_edit::Value::from(member);
    if before.contains('\n') {
        // Without a comma behind it, the last one has the line break; a comment there stays with it.
        if let Some(last) = members.iter_mut().last()
            && last.decor().suffix().and_then(|suffix| suffix.as_str()).is_some_and(|it| it.trim().is_empty())
        {
            last.decor_mut().set_suffix("");
        }
        // A comment above the last one is the last one's.
        let indent = before.rsplit('\n').next().unwrap_or_default();
        new.decor_mut().set_prefix(format!("\n{indent}"));
        members.push_formatted(new);
        members.set_trailing_comma(true);
        if !members.trailing().as_str().is_some_and(|text| text.contains('\n')) {
            members.set_trailing("\n");
        }
    } else {
        members.push(member);
    }
}

/// Whether a pattern of members covers a path: `apps/*` covers `apps/shop`, by segments, as cargo has it.
fn covers(pattern: &str, path: &str) -> bool {
    let pattern: Vec<_> = segments(pattern).collect();
    let path: Vec<_> = segments(path).collect();
    all_match(&pattern, &path)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty() && *segment != ".")
}

fn all_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            all_match(rest, path) || path.split_first().is_some_and(|(_, beyond)| all_match(pattern, beyond))
        }
        (Some((pattern, rest)), Some((segment, beyond))) => {
            one_matches(pattern.as_bytes(), segment.as_bytes()) && all_match(rest, beyond)
        }
        _ => false,
    }
}

fn one_matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            one_matches(rest, text)
                || text.split_first().is_some_and(|(_, beyond)| one_matches(pattern, beyond))
        }
        (Some((b'?', rest)), Some((_, beyond))) => one_matches(rest, beyond),
        (Some((one, rest)), Some((other, beyond))) => one == other && one_matches(rest, beyond),
        _ => false,
    }
}

/// Whether a path is another one, or beneath it.
fn beneath(folder: &str, path: &str) -> bool {
    let folder: Vec<_> = segments(folder).collect();
    let path: Vec<_> = segments(path).collect();
    path.starts_with(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str, member: &str) -> Change {
        add(text.parse().unwrap(), member)
    }

    #[test]
    fn a_member_is_added_in_the_manner_of_the_others_and_nothing_else_changes() {
        for (name, before, after) in [
            (
                "all in one line",
                "[workspace]\nmembers = [\"a\", \"b\"] # ours\nresolver = \"3\"\n",
                "[workspace]\nmembers = [\"a\", \"b\", \"apps/shop\"] # ours\nresolver = \"3\"\n",
            ),
            (
                "a line for each",
                "[workspace]\nmembers = [\n    \"a\",\n    # the old one\n    \"b\",\n]\n",
                "[workspace]\nmembers = [\n    \"a\",\n    # the old one\n    \"b\",\n    \"apps/shop\",\n]\n",
            ),
            (
                "a line for each, without a last comma",
                "[workspace]\nmembers = [\n  \"a\",\n  \"b\"\n]\n",
                "[workspace]\nmembers = [\n  \"a\",\n  \"b\",\n  \"apps/shop\",\n]\n",
            ),
            ("none yet", "[workspace]\nmembers = []\n", "[workspace]\nmembers = [\"apps/shop\"]\n"),
            (
                "a package that is a workspace",
                "[package]\nname = \"x\"\n\n[workspace]\n",
                "[package]\nname = \"x\"\n\n[workspace]\nmembers = [\"apps/shop\"]\n",
            ),
        ] {
            assert_eq!(added(before, "apps/shop"), Change::Text(after.to_owned()), "{name}");
        }
    }

    #[test]
    fn what_a_pattern_covers_is_a_member_already() {
        for (pattern, path, covered) in [
            ("apps/*", "apps/shop", true),
            ("./apps/*/", "apps/shop", true),
            ("apps/s*p", "apps/shop", true),
            ("apps/sh?p", "apps/shop", true),
            ("*", "shop", true),
            ("**/shop", "apps/new/shop", true),
            ("*", "apps/shop", false),
            ("apps/*", "apps/new/shop", false),
            ("apps", "apps/shop", false),
            ("apps/sh", "apps/shop", false),
        ] {
            assert_eq!(covers(pattern, path), covered, "{pattern} {path}");
        }
        assert_eq!(added("[workspace]\nmembers = [\"apps/*\"]\n", "apps/shop"), Change::None);
    }

    #[test]
    fn members_that_are_no_list_are_left_alone() {
        assert_eq!(added("[workspace]\nmembers = \"a\"\n", "shop"), Change::Unknown);
    }

    #[test]
    fn the_nearest_workspace_counts_unless_it_excludes_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let application = root.path().join("apps/shop");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(around(&application).unwrap(), None);
        write("Cargo.toml", "[workspace]\nmembers = [\"other\"]\nexclude = [\"old\"]\n");
        // A package that is no workspace is passed by.
        write("apps/Cargo.toml", "[package]\nname = \"apps\"\n");
        let found = around(&application).unwrap().unwrap();
        assert_eq!(found.manifest, root.path().join("Cargo.toml"));
        assert!(
            matches!(found.join(&application).unwrap(), Joined::Added { member, .. } if member == "apps/shop")
        );
        let text = fs::read_to_string(root.path().join("Cargo.toml")).unwrap();
        assert!(text.contains("members = [\"other\", \"apps/shop\"]"), "{text}");

        assert_eq!(around(&root.path().join("old/shop")).unwrap(), None);
        write("Cargo.toml", "[workspace\n");
        assert!(around(&application).unwrap_err().to_string().contains("is no TOML"));
    }
}
