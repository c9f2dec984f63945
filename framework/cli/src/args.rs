//! What can be written after `cargo tropos`.

use crate::{examples, new::Database, terminal::Color};
use clap::{Parser, Subcommand, ValueEnum as _};
use std::{ffi::OsString, path::PathBuf};

/// Builds, starts and inspects Tropos applications.
#[derive(Debug, Parser)]
#[command(
    name = "cargo-tropos",
    bin_name = "cargo tropos",
    version,
    arg_required_else_help = true,
    after_help = examples::ALL
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Show colours: also where nobody looks, or never [default: where a terminal shows them and NO_COLOR is not set]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new application, which builds and passes its own tests
    New(New),
    /// Build, serve, watch, and show what changed in the open pages
    Dev(Dev),
    /// Build the application into dist/: the server, the islands, hashed assets and prerendered pages
    Build(Build),
    /// Write an application whose routes are all `ssg` as plain files, for any static host
    Export(Export),
    /// Run the server that `build` left in dist/
    Start(Start),
    /// Print the route table
    Routes(Routes),
    /// Invalidate tags, paths or prefixes at a running server
    Revalidate(Revalidate),
    /// Say why a path would hit or miss at a running server
    Explain(Explain),
    /// Say which routes are declared in a mode that does not suit them, by what a running server has seen
    Advise(Advise),
    /// Look after the application's database
    Db(Db),
    /// Look for what is wrong, and say what mends it
    Doctor(Doctor),
    /// Write the files that a deployment needs, and say what to do next
    Deploy(Deploy),
    /// Print what a shell needs to complete these commands
    Completions(Completions),
}

/// Which application.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Project {
    /// The application's Cargo.toml [default: the one of the current directory or above]
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// The application's package, where the workspace has several
    #[arg(short, long, value_name = "NAME")]
    pub(crate) package: Option<String>,
    /// Where the build lies [default: dist/ in the package's directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::NEW)]
pub(crate) struct New {
    /// The folder to make; its last part is the application's name
    #[arg(value_name = "NAME")]
    pub(crate) path: PathBuf,
    /// The database that it is written for [default: asks, or sqlite]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) db: Option<Database>,
    /// Use Tailwind, where its program is found
    #[arg(long)]
    pub(crate) tailwind: bool,
    /// Take the default for whatever is not said, and ask nothing
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::DEV)]
pub(crate) struct Dev {
    #[command(flatten)]
    pub(crate) project: Project,
    /// The port to listen at; the next free one where it is taken [default: that of the configuration, else 3000]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Show the application in the browser once it runs
    #[arg(long)]
    pub(crate) open: bool,
    /// Print what the browser's console says
    #[arg(long)]
    pub(crate) console: bool,
    /// Leave the islands out: they stay without life, and nothing is compiled for the browser
    #[arg(long)]
    pub(crate) no_islands: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::BUILD)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) project: Project,
    /// Compile with the dev profile: faster to build, larger and slower to run
    #[arg(long)]
    pub(crate) debug: bool,
    /// The wasm-opt to use, 120 or newer [default: the one on PATH or in node_modules/.bin]
    #[arg(long, value_name = "PATH", env = "TROPOS_WASM_OPT")]
    pub(crate) wasm_opt: Option<PathBuf>,
    /// Render the other pages too where one fails, and name all that fail
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Print JSON at the end, in place of the table: one object, also where it fails
    #[arg(long)]
    pub(crate) json: bool,
    /// Compile the hooks for a CDN's edge too, into worker/ within the build
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) edge: Option<Edge>,
}

/// Where hooks run in front of a CDN's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Edge {
    // No text of its own: one would have the help write every option on lines of its own.
    Workers,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::EXPORT)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) build: Build,
    /// Where the files go [default: export/ in the package's directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Write the `ssg` routes and leave out the others; links to those lead nowhere
    #[arg(long)]
    pub(crate) partial: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::START)]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) project: Project,
    /// Passed on to the server
    #[arg(last = true)]
    pub(crate) rest: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::ROUTES)]
pub(crate) struct Routes {
    #[command(flatten)]
    pub(crate) project: Project,
    /// Print JSON: an array of routes
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::REVALIDATE)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["tags", "paths", "prefixes"]))]
pub(crate) struct Revalidate {
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// A path, with all its query keys and variants; may be given several times
    #[arg(long = "path", value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// All paths below and including this one, by whole segments; may be given several times
    #[arg(long = "prefix", value_name = "PATH")]
    pub(crate) prefixes: Vec<String>,
    /// Make entries stale instead of unusable: they are served while being rendered anew
    #[arg(long)]
    pub(crate) soft: bool,
    /// Have the pages that were hit made again, in the background, without a visitor
    #[arg(long)]
    pub(crate) warm: bool,
    /// Print the sequence alone, and do not ask what was hit
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print JSON: the server's answer
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    pub(crate) url: String,
    /// The token that the server was started with
    #[arg(long, value_name = "TOKEN", env = "TROPOS_REVALIDATE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::EXPLAIN)]
pub(crate) struct Explain {
    /// The path, with or without a query
    pub(crate) path: String,
    /// Where the server's admin listener is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3001", env = "TROPOS_ADMIN_ADDR")]
    pub(crate) url: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::ADVISE)]
pub(crate) struct Advise {
    /// Where the server's admin listener is, or where `cargo tropos dev` serves
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3001", env = "TROPOS_ADMIN_ADDR")]
    pub(crate) url: String,
    /// First send the requests of this file to the application: an access log in common or combined format, or one path a
    /// line. GET alone
    #[arg(long, value_name = "FILE")]
    pub(crate) requests: Option<PathBuf>,
    /// Where they are sent [default: where the server says that it listens]
    #[arg(long, value_name = "URL", requires = "requests")]
    pub(crate) app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::DB)]
pub(crate) struct Db {
    #[command(subcommand)]
    pub(crate) task: DbTask,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbTask {
    /// Apply the migrations that are missing, on every shard
    Migrate(Program),
    /// Print which migrations are applied and which are not; fails where something is to be done
    Status(DbStatus),
    /// Drop everything, migrate and fill anew
    Reset(DbReset),
    /// Run the application's seeding
    Seed(Program),
    /// Move slots from one shard to another, while the application runs
    MoveSlots(DbMoveSlots),
}

/// Which program of the application.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Program {
    #[command(flatten)]
    pub(crate) project: Project,
    /// Compile the sources as they are, also where there is a build
    #[arg(long)]
    pub(crate) dev: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DbStatus {
    #[command(flatten)]
    pub(crate) program: Program,
    /// Print JSON: an object with an array of shards
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DbReset {
    #[command(flatten)]
    pub(crate) program: Program,
    /// Say that you mean it
    #[arg(long)]
    pub(crate) yes: bool,
    /// Say that you mean it although the program is a build, whose data may be production's
    #[arg(long)]
    pub(crate) yes_destroy_production_data: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::MOVE_SLOTS)]
pub(crate) struct DbMoveSlots {
    #[command(flatten)]
    pub(crate) program: Program,
    /// Which, such as `0-99` or `0-99,500`
    #[arg(long, value_name = "RANGES")]
    pub(crate) slots: String,
    /// The shard that has them
    #[arg(long, value_name = "SHARD")]
    pub(crate) from: String,
    /// The shard that is to have them
    #[arg(long, value_name = "SHARD")]
    pub(crate) to: String,
    /// Give the move up, which can be done until the first shard has let go
    #[arg(long, conflicts_with = "clean")]
    pub(crate) abort: bool,
    /// Delete the rows that are left where the slots were
    #[arg(long)]
    pub(crate) clean: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::DOCTOR)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) program: Program,
    /// Look at the machine and the application's sources alone: compile nothing and ask no program
    #[arg(long)]
    pub(crate) machine: bool,
    /// Run the commands that mend something and do no harm, and look again
    #[arg(long)]
    pub(crate) fix: bool,
    /// How many instances of the application are to share the database's servers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) instances: u32,
    /// Print JSON: an object with an array of findings
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::DEPLOY)]
pub(crate) struct Deploy {
    /// What to deploy to
    #[arg(value_enum)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) project: Project,
    /// The host that visitors see, such as `shop.example`
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub(crate) domain: Option<String>,
    /// Overwrite files that were changed
    #[arg(long)]
    pub(crate) force: bool,
    /// With `nginx`: have it hold pages too, as a CDN does. Invalidations do not reach it
    #[arg(long)]
    pub(crate) page_cache: bool,
}

/// What can be deployed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// Dockerfile and .dockerignore
    Container,
    /// compose.yaml: the application, PostgreSQL and Redis on one machine
    Compose,
    /// A unit for systemd, and its environment
    Systemd,
    /// A proxy with TLS before the application
    Nginx,
    /// Alert rules for Prometheus with their tests, and dashboards for Grafana
    Observability,
}

impl Target {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Compose => "compose",
            Self::Systemd => "systemd",
            Self::Nginx => "nginx",
            Self::Observability => "observability",
        }
    }
}

/// A host name: it goes into files of other programs.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match text.len() <= 253 && text.split('.').all(is_label) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("write a host alone, such as shop.example".into()),
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::COMPLETIONS)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// The arguments without the `tropos` that cargo puts first when it runs `cargo-tropos` for `cargo tropos`.
pub(crate) fn without_subcommand(
    arguments: impl IntoIterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    arguments
        .into_iter()
        .enumerate()
        .filter(|(at, text)| !(*at == 1 && text == "tropos"))
        .map(|(_, text)| text)
}

/// What is said of colours, before anything else is read: what is wrong with the rest is shown in them too.
pub(crate) fn color(words: &[OsString]) -> Color {
    let words = words.iter().map_while(|word| word.to_str().filter(|word| *word != "--"));
    let mut after_flag = false;
    let mut color = Color::Auto;
    for word in words {
        let value = word.strip_prefix("--color=").or(after_flag.then_some(word));
        if let Some(Ok(said)) = value.map(|value| Color::from_str(value, false)) {
            color = said;
        }
        after_flag = word == "--color";
    }
    color
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(without_subcommand(line.split_whitespace().map(OsString::from)))
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn works_as_a_subcommand_of_cargo_and_on_its_own() {
        for line in ["cargo-tropos tropos build -p shop --out /x", "cargo-tropos build -p shop --out /x"] {
            let Command::Build(build) = parse(line).unwrap().command else { panic!("{line}") };
            assert_eq!(build.project.package.as_deref(), Some("shop"), "{line}");
            assert_eq!(build.project.out, Some(PathBuf::from("/x")), "{line}");
            assert!(!build.debug);
        }
    }

    #[test]
    fn only_the_first_word_is_taken_away_so_that_a_package_may_be_called_tropos() {
        let Command::Build(build) = parse("cargo-tropos tropos build -p tropos").unwrap().command else {
            panic!()
        };
        assert_eq!(build.project.package.as_deref(), Some("tropos"));
    }

    #[test]
    fn a_new_application_has_a_path_and_one_of_two_databases() {
        let Command::New(new) = parse("cargo-tropos new apps/shop --db postgres --yes").unwrap().command
        else {
            panic!()
        };
        assert_eq!((new.path, new.db, new.yes), ("apps/shop".into(), Some(Database::Postgres), true));
        assert!(parse("cargo-tropos new").is_err());
        assert!(parse("cargo-tropos new shop --db mysql").is_err());
    }

    #[test]
    fn revalidate_takes_many_names_and_insists_on_one() {
        let line = "cargo-tropos revalidate --tag a --tag b --path /p --prefix /q --soft --token t";
        let Command::Revalidate(it) = parse(line).unwrap().command else { panic!() };
        assert_eq!(
            (it.tags, it.paths, it.prefixes),
            (vec!["a".into(), "b".into()], vec!["/p".into()], vec!["/q".into()])
        );
        assert!(it.soft && !it.warm && !it.quiet);
        assert_eq!(it.url, "http://127.0.0.1:3000");
        assert!(parse("cargo-tropos revalidate --soft").is_err());
    }

    #[test]
    fn a_reset_must_be_meant_and_the_doctor_plans_for_one_instance_at_least() {
        let Command::Db(Db { task: DbTask::Reset(reset) }) =
            parse("cargo-tropos db reset --yes --dev").unwrap().command
        else {
            panic!()
        };
        assert!(reset.yes && reset.program.dev && !reset.yes_destroy_production_data);
        assert!(parse("cargo-tropos db").is_err());
        assert!(parse("cargo-tropos db move-slots --slots 0-9 --from a --to b").is_ok());
        assert!(parse("cargo-tropos db move-slots --slots 0-9 --from a --to b --clean --abort").is_err());
        assert!(parse("cargo-tropos doctor --instances 0").is_err());
        let Command::Doctor(doctor) = parse("cargo-tropos doctor").unwrap().command else { panic!() };
        assert_eq!(doctor.instances, 1);
    }

    #[test]
    fn every_command_has_examples() {
        for command in Args::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = format!("cargo tropos {}", command.get_name());
            assert!(help.starts_with("Examples:\n") && help.contains(&name), "{name}");
        }
    }

    #[test]
    fn colours_are_known_before_the_rest_is_read() {
        for (line, expected) in [
            ("cargo-tropos biuld --color never", Color::Never),
            ("cargo-tropos --color=always build", Color::Always),
            ("cargo-tropos start -- --color never", Color::Auto),
            ("cargo-tropos --color sometimes", Color::Auto),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(color(&words), expected, "{line}");
        }
        let Args { color, .. } = parse("cargo-tropos doctor --color never").unwrap();
        assert_eq!(color, Color::Never);
    }

    #[test]
    fn a_domain_is_a_host_and_nothing_more() {
        assert_eq!(host("Shop.Example").as_deref(), Ok("shop.example"));
        for wrong in ["https://shop.example", "shop.example/", "a b", "", "a;b", "a..b"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_follows_two_dashes_is_the_servers() {
        let Command::Start(start) = parse("cargo-tropos start -- --verbose").unwrap().command else {
            panic!()
        };
        assert_eq!(start.rest, ["--verbose"]);
    }
}
