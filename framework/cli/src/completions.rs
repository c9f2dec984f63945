//! `cargo tropos completions`: what a shell needs to complete these commands.
//!
//! Shells complete by the first word of a line, which is `cargo`. Where a shell lets a script look further, the script does,
//! so that `cargo tropos b` is completed as `cargo-tropos b` is.

use crate::{
    args::{self, Args},
    terminal,
};
use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::{Shell, generate};
use std::process::ExitCode;

/// The program's own name, as shells and cargo know it.
const PROGRAM: &str = "cargo-tropos";

/// Words after `cargo tropos` are handed to the function for `cargo-tropos`, all else to cargo's own function, which
/// bash-completion loads when it is first needed.
const BASH: &str = r#"
_cargo_with_tropos() {
    if [[ ${COMP_WORDS[1]} == tropos && $COMP_CWORD -ge 2 ]]; then
        COMP_WORDS=(cargo-tropos "${COMP_WORDS[@]:2}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _cargo__tropos cargo-tropos "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        return
    fi
    if ! declare -F _cargo >/dev/null; then
        declare -F _completion_loader >/dev/null && _completion_loader cargo
        complete -F _cargo_with_tropos -o bashdefault -o default cargo
    fi
    declare -F _cargo >/dev/null && _cargo "$@"
}
complete -F _cargo_with_tropos -o bashdefault -o default cargo
"#;

/// Asks fish to complete the line as if it were the program's.
const FISH: &str = r#"
complete -c cargo -n '__fish_seen_subcommand_from tropos' -f -a '(complete -C (string replace -r "^.*?\btropos\b" cargo-tropos -- (commandline -cp)))'
"#;

/// The generator leaves words that are no options to the files of the folder.
fn fish_words() -> String {
    let words = |command: &str, words: Vec<String>| {
        format!(
            "complete -c {PROGRAM} -n '__fish_seen_subcommand_from {command}' -f -a '{}'\n",
            words.join(" ")
        )
    };
    let targets = args::Target::value_variants().iter().map(|target| target.name().to_owned());
    let shells = Shell::value_variants().iter().map(ToString::to_string);
    words("deploy", targets.collect()) + &words("completions", shells.collect())
}

/// Prints it.
pub(crate) fn run(options: &args::Completions) -> ExitCode {
    terminal::print(&script(options.shell));
    ExitCode::SUCCESS
}

fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    generate(shell, &mut Args::command(), PROGRAM, &mut text);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    match shell {
        Shell::Bash => {
            // The generator takes the space in `cargo tropos` for that before a command of ours.
            text = text.replace("cargo__subcmd__tropos", "cargo__tropos");
            text.push_str(BASH);
        }
        Shell::Fish => {
            text.push_str(&fish_words());
            text.push_str(FISH);
        }
        // Cargo's function for zsh calls `_cargo-tropos` by itself; the others have no place to look further.
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn every_shell_gets_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let text = script(shell);
            for command in Args::command().get_subcommands() {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(!text.contains("cargo__subcmd__tropos"), "{shell}");
        }
    }

    #[test]
    fn fish_knows_what_can_be_deployed_to() {
        let words =
            "'__fish_seen_subcommand_from deploy' -f -a 'container compose systemd nginx observability'";
        assert!(script(Shell::Fish).contains(words));
    }

    #[test]
    fn bash_completes_after_cargo_tropos_and_leaves_the_rest_to_cargo() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script(Shell::Bash)).unwrap();
        let complete = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let script = format!(
                "source {}; _cargo() {{ COMPREPLY=(cargos); }}; COMP_WORDS=({}); COMP_CWORD={}; \
                 _cargo_with_tropos cargo; echo \"${{COMPREPLY[*]}}\"",
                file.path().display(),
                words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
                words.len() - 1
            );
            let output = Command::new("bash").args(["--norc", "--noprofile", "-c", &script]).output().ok()?;
            Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        };
        for (line, expected) in [
            ("cargo tropos bui", "build"),
            ("cargo tropos deploy sy", "systemd"),
            ("cargo tropos db mig", "migrate"),
            ("cargo tropos doctor --fi", "--fix"),
            ("cargo bui", "cargos"),
            ("cargo tro", "cargos"),
        ] {
            // A machine without bash has nobody to complete for.
            let Some(found) = complete(line) else { return };
            assert_eq!(found, expected, "{line}");
        }
    }
}
