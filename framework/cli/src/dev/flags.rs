//! Components with erased types compile several times as fast, and render the same: a flag of the compiler says so.
//!
//! Cargo takes flags from one place alone, and the first of these that has any: `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS`,
//! `target.*.rustflags` of all keys that match, `build.rustflags`. So the flag is added wherever the application has flags of
//! its own, with which cargo joins it.

use crate::project::Project;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// As words of a TOML list.
const WORDS: &str = r#"["--cfg","erase_components"]"#;

/// Adds the flag to a command of cargo's.
pub(super) fn add(command: &mut Command, project: &Project) {
    let mut keys = BTreeSet::new();
    for file in files(&project.directory) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // What is wrong there cargo says.
        keys.extend(targets(&text.parse().unwrap_or_default()));
    }
    command.args(arguments(&keys));
    command.envs(std::env::vars_os().filter_map(|(name, value)| Some((name.clone(), joined(&name, value)?))));
}

/// The files of configuration that cargo reads for a package.
fn files(directory: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::home_dir()?;
        Some(home.join(".cargo"))
    });
    // Cargo begins at the directory that it is started in, which may be any of the package's or the workspace's.
    let here = std::env::current_dir().unwrap_or_else(|_| directory.to_owned());
    let folders = here.ancestors().chain(directory.ancestors()).map(|folder| folder.join(".cargo"));
    folders.chain(home).flat_map(|folder| [folder.join("config.toml"), folder.join("config")]).collect()
}

/// The keys of `target` that have flags: triples and `cfg(…)`.
fn targets(file: &toml::Table) -> Vec<String> {
    let targets = file.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    targets.filter(|(_, target)| target.get("rustflags").is_some()).map(|(key, _)| key.clone()).collect()
}

fn arguments(targets: &BTreeSet<String>) -> Vec<String> {
    // A key in quotation marks is written as a text is.
    let keys = targets.iter().map(|key| format!("target.{}", toml::Value::from(key.as_str())));
    let settings = std::iter::once("build".to_owned()).chain(keys);
    settings.flat_map(|key| ["--config".to_owned(), format!("{key}.rustflags={WORDS}")]).collect()
}

/// The value of a variable that takes the place of the configuration's flags, with the flag.
fn joined(name: &OsString, mut value: OsString) -> Option<OsString> {
    let name = name.to_str()?;
    let separator = match name {
        "CARGO_ENCODED_RUSTFLAGS" => "\x1f",
        "RUSTFLAGS" => " ",
        _ if name.starts_with("CARGO_TARGET_") && name.ends_with("_RUSTFLAGS") => " ",
        _ => return None,
    };
    if !value.is_empty() {
        value.push(separator);
    }
    value.push(["--cfg", separator, "erase_components"].concat());
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_stands_beside_whatever_flags_an_application_has() {
        let file = r#"
            [build]
            target = "x86_64-unknown-linux-gnu"
            [target.x86_64-unknown-linux-gnu]
            rustflags = ["-C", "link-arg=-s"]
            [target.'cfg(target_os = "linux")']
            rustflags = "-g"
            [target.aarch64-apple-darwin]
            linker = "x"
        "#;
        let keys: BTreeSet<String> = targets(&file.parse().unwrap()).into_iter().collect();
        let words = arguments(&keys);
        let settings: Vec<&String> = words.iter().filter(|word| *word != "--config").collect();
        assert_eq!(settings.len(), 3, "{settings:?}");
        // Cargo reads each as a line of TOML.
        let mut found = Vec::new();
        for setting in settings {
            let table: toml::Table = setting.parse().unwrap();
            let (section, value) = table.into_iter().next().unwrap();
            match section.as_str() {
                "target" => found.extend(value.as_table().unwrap().keys().cloned()),
                section => found.push(section.to_owned()),
            }
        }
        assert_eq!(found, ["build", "cfg(target_os = \"linux\")", "x86_64-unknown-linux-gnu"]);
    }

    #[test]
    fn variables_that_take_the_place_of_the_configuration_are_joined_with_the_flag() {
        for (name, value, expected) in [
            ("RUSTFLAGS", "-g", Some("-g --cfg erase_components")),
            ("RUSTFLAGS", "", Some("--cfg erase_components")),
            ("CARGO_ENCODED_RUSTFLAGS", "-C\x1fx", Some("-C\x1fx\x1f--cfg\x1ferase_components")),
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-g", Some("-g --cfg erase_components")),
            ("CARGO_BUILD_RUSTFLAGS", "-g", None),
            ("PATH", "/bin", None),
        ] {
            let joined = joined(&name.into(), value.into());
            assert_eq!(joined.as_deref(), expected.map(std::ffi::OsStr::new), "{name}");
        }
    }
}
