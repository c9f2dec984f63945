use super::*;
use std::{collections::BTreeSet, fs, path::Path};

fn origins() -> [Origin; 2] {
    [
        Origin::Release { version: "0.1.0" },
        Origin::Checkout { root: "/src/tropos".into(), named: "/src/tropos".into() },
    ]
}

/// Every application that can be chosen.
fn variants() -> Vec<Choices> {
    let mut variants = Vec::new();
    for origin in origins() {
        for database in [Database::Sqlite, Database::Postgres] {
            for tailwind in [None, Some("tailwindcss -i a -o b".to_owned())] {
                for own in [true, false] {
                    let choices = Choices::new("my-shop", &origin);
                    variants.push(Choices {
                        database,
                        tailwind: tailwind.clone(),
                        own_workspace: own,
                        own_repository: own,
                        ..choices
                    });
                }
            }
        }
    }
    variants
}

fn text(files: &[File], path: &str) -> String {
    let found = files.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("no {path}")).text.clone()
}

#[test]
fn the_list_names_each_file_of_the_folder_once() {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, root, found),
                false => {
                    found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("template");
    let mut found = BTreeSet::new();
    walk(&root, &root, &mut found);
    let listed: BTreeSet<_> = SOURCES.iter().map(|source| source.path.to_owned()).collect();
    assert_eq!(found, listed);
    assert_eq!(SOURCES.len(), listed.len());
}

#[test]
fn every_file_of_every_variant_renders_and_nothing_of_the_template_is_left() {
    for choices in variants() {
        for file in render(&choices).unwrap() {
            for mark in ["{{ ", " }}", "{%", "%}", "{#"] {
                assert!(!file.text.contains(mark), "{choices:?}: {mark} in {}:\n{}", file.path, file.text);
            }
            assert!(!file.path.ends_with(".jinja"));
            assert!(file.text.ends_with('\n') && !file.text.ends_with("\n\n"), "{} ends oddly", file.path);
            assert!(!file.text.contains("\n\n\n"), "{choices:?}: a gap in {}:\n{}", file.path, file.text);
            let trailing = file.text.lines().find(|line| line.ends_with([' ', '\t']));
            assert_eq!(trailing, None, "{}", file.path);
        }
    }
}

#[test]
fn manifests_and_configurations_can_be_read_and_say_what_was_chosen() {
    for choices in variants() {
        let files = render(&choices).unwrap();
        let manifest: toml_edit::DocumentMut = text(&files, "Cargo.toml").parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-shop"));
        assert_eq!(manifest.contains_key("profile"), choices.own_workspace);
        let kind = if choices.released { "version" } else { "path" };
        for (table, name) in [("dependencies", "tropos"), ("dev-dependencies", "tropos-testing")] {
            assert!(manifest[table][name].get(kind).is_some(), "{name}: {choices:?}");
        }
        let configuration: toml_edit::DocumentMut = text(&files, "tropos.toml").parse().unwrap();
        let url = configuration.get("database_url").and_then(|url| url.as_str());
        let postgres = choices.database == Database::Postgres;
        assert_eq!(url, postgres.then_some("postgres://localhost/my_shop"));
        let has = |path: &str| files.iter().any(|file| file.path == path);
        assert_eq!(has("styles/app.css"), choices.tailwind.is_some());
        assert_eq!(has("styles/site.css"), choices.tailwind.is_some());
        assert_eq!(has(".github/workflows/ci.yml"), choices.own_repository);
        assert_eq!(text(&files, "README.md").contains("createdb my_shop"), postgres);
        assert_eq!(text(&files, "README.md").contains("tailwindcss -i a"), choices.tailwind.is_some());
    }
}

#[test]
fn code_has_the_name_as_code_may_have_it_and_people_read_it_as_words() {
    let files = render(&Choices::new("my-shop", &origins()[0])).unwrap();
    assert!(text(&files, "src/main.rs").contains("my_shop::app::app()"));
    assert!(text(&files, "src/frame.rs").contains("\"My shop\""));
    for (name, expected) in [("shop", "Shop"), ("my_big-shop", "My big shop"), ("x", "X")] {
        assert_eq!(title(name), expected);
    }
}
