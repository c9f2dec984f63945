//! What the program does with the database when it does not serve, by order of `cargo tropos db` and `cargo tropos doctor`.

use super::fill;
use crate::{App, Config, error::Error};
use serde_json::{Value, json};
use tropos_db::{
    Db, Migrated, Migrations, ShardStatus, Status, Step, doctor,
    shard::{NotSlots, SlotRanges, moving::Progress},
};

/// What a task says beside its report, unless something is wrong.
pub(crate) const LOG: &str = "warn,tropos_db=info";

/// Something to do with the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    /// Applies what is missing.
    Migrate,
    /// Says what is missing.
    Status,
    /// Fills it.
    Seed,
    /// Drops everything, migrates and fills.
    Reset {
        /// Whether whoever asked has said that they mean it,
        yes: bool,
        /// also where the data may be production's.
        also_production: bool,
    },
    /// Moves slots from one shard to another.
    MoveSlots {
        /// Which, such as `0-99`.
        slots: String,
        /// The shard that has them,
        from: String,
        /// the shard that is to have them,
        to: String,
        /// and what is to be done now.
        stage: Stage,
    },
    /// Looks for what is wrong.
    Examine {
        /// How many instances are to share the servers.
        instances: u32,
    },
}

/// What is to be done about a move of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is made, or gone on with.
    Move,
    /// It is given up.
    Abort,
    /// The rows that are left where the slots were are deleted.
    Clean,
}

/// What came of a task.
#[derive(Debug)]
pub(crate) struct Done {
    /// An object: what was done, or found.
    pub(crate) report: Value,
    /// Whether there is nothing left to do.
    pub(crate) well: bool,
}

impl Task {
    /// Reads a command line; `None` where it is about something else.
    pub(crate) fn parse(words: &[&str]) -> Option<Self> {
        match words {
            ["db", "migrate"] => Some(Self::Migrate),
            ["db", "status"] => Some(Self::Status),
            ["db", "seed"] => Some(Self::Seed),
            ["db", "reset", flags @ ..] if flags.iter().all(|flag| [YES, YES_PRODUCTION].contains(flag)) => {
                Some(Self::Reset {
                    yes: flags.contains(&YES),
                    also_production: flags.contains(&YES_PRODUCTION),
                })
            }
            ["db", "move-slots", slots, from, to, rest @ ..] => {
                let stage = match rest {
                    [] => Stage::Move,
                    ["--abort"] => Stage::Abort,
                    ["--clean"] => Stage::Clean,
                    _ => return None,
                };
                let text = |word: &str| word.to_owned();
                Some(Self::MoveSlots { slots: text(slots), from: text(from), to: text(to), stage })
            }
            ["doctor"] => Some(Self::Examine { instances: 1 }),
            ["doctor", "--instances", number] => Some(Self::Examine { instances: number.parse().ok()? }),
            _ => None,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// [`Error::NoDatabase`], [`Error::NotSure`], and what the database or the seeding says.
    pub(crate) async fn run(&self, app: &App, config: &Config) -> Result<Done, Error> {
        if let Self::Examine { instances } = self {
            let findings = match app.migrations {
                Some(_) => doctor::examine(&config.database, *instances).await,
                None => Vec::new(),
            };
            let well = findings.iter().all(|finding| finding.level < doctor::Level::Problem);
            let report = json!({
                "findings": findings.iter().map(found).collect::<Value>(),
                "settings": crate::doctor::settings(config),
                "redis": crate::doctor::redis(config).await,
            });
            return Ok(Done { report, well });
        }
        let migrations = app.migrations.as_ref().ok_or(Error::NoDatabase)?;
        self.sure(config)?;
        let db = Db::connect(&config.database).await?;
        let done = self.with(app, migrations, &db).await;
        db.close().await;
        done
    }

    /// Refuses what would destroy data, unless it is meant.
    fn sure(&self, config: &Config) -> Result<(), Error> {
        let Self::Reset { yes, also_production } = *self else { return Ok(()) };
        let shards = config.database.shards.iter();
        let databases = shards.map(|shard| shard.shown()).collect::<Vec<_>>().join(", ");
        match (yes, config.production && !also_production) {
            (false, _) => Err(Error::NotSure { databases, why: "", flag: YES }),
            (true, true) => {
                let why = ", and this is a build, whose data may be production's";
                Err(Error::NotSure { databases, why, flag: YES_PRODUCTION })
            }
            (true, false) => Ok(()),
        }
    }

    async fn with(&self, app: &App, migrations: &Migrations, db: &Db) -> Result<Done, Error> {
        let (report, well) = match self {
            Self::Migrate => (json!({ "shards": migrated(&db.migrate(migrations).await?) }), true),
            Self::Status => {
                let shards = db.status(migrations).await?;
                let well = shards.iter().all(|shard| shard.status.is_current());
                (json!({ "shards": shards.iter().map(stands).collect::<Value>() }), well)
            }
            Self::Seed => {
                db.check(migrations).await?;
                (json!({ "seeded": fill(app, db).await? }), true)
            }
            Self::Reset { .. } => {
                let shards = migrated(&db.reset(migrations).await?);
                (json!({ "shards": shards, "seeded": fill(app, db).await? }), true)
            }
            Self::MoveSlots { slots, from, to, stage } => {
                (move_slots(db, slots, from, to, *stage).await?, true)
            }
            Self::Examine { .. } => (Value::Null, true),
        };
        Ok(Done { report, well })
    }
}

/// Moves slots; what is on which shard then.
async fn move_slots(db: &Db, slots: &str, from: &str, to: &str, stage: Stage) -> Result<Value, Error> {
    let wrong = |error: String| Error::Database(tropos_db::Error::Config(error));
    let ranges: SlotRanges = slots.parse().map_err(|error: NotSlots| wrong(error.to_string()))?;
    let way = db.moving(ranges.clone(), from, to)?;
    let done = match stage {
        Stage::Move => way.run(tell).await,
        Stage::Abort => way.abort(tell).await,
        Stage::Clean => way.clean(tell).await,
    };
    done.map_err(|error| wrong(error.to_string()))?;
    let map = db.slots();
    let map = match stage {
        Stage::Move => map.moved(&ranges, from, to).unwrap_or_else(|_| (*map).clone()),
        Stage::Abort | Stage::Clean => (*map).clone(),
    };
    let shards = map
        .names()
        .zip(0..)
        .map(|(name, number)| json!({ "shard": name, "slots": map.slots_on(number).to_string() }));
    Ok(json!({ "map": shards.collect::<Value>() }))
}

/// Beside the report, under a target that [`LOG`] shows.
fn tell(progress: Progress) {
    tracing::info!(target: "tropos_db::moving", ?progress, "slots are being moved");
}

const YES: &str = "--yes";
const YES_PRODUCTION: &str = "--yes-destroy-production-data";

fn migrated(shards: &[Migrated]) -> Value {
    shards.iter().map(|it| json!({ "shard": it.shard, "applied": steps(&it.applied) })).collect()
}

fn stands(ShardStatus { shard, status, .. }: &ShardStatus) -> Value {
    let Status { applied, pending, changed, unknown, .. } = status;
    json!({
        "shard": shard,
        "applied": steps(applied),
        "pending": steps(pending),
        "changed": steps(changed),
        "unknown": steps(unknown),
    })
}

fn steps(steps: &[Step]) -> Value {
    steps.iter().map(|step| json!({ "version": step.version, "description": step.description })).collect()
}

fn found(finding: &doctor::Finding) -> Value {
    json!({
        "area": "database",
        "subject": finding.subject,
        "level": finding.level.to_string(),
        "says": finding.says,
        "mend": finding.mend,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::app;

    fn task(line: &str) -> Task {
        Task::parse(&line.split_whitespace().collect::<Vec<_>>()).unwrap()
    }

    fn config(folder: &tempfile::TempDir) -> Config {
        let url = format!("sqlite://{}", folder.path().join("app.db").display());
        Config { database: tropos_db::Config::new(url), ..Config::default() }
    }

    #[test]
    fn how_far_a_move_is_can_be_seen_while_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = std::sync::Mutex::new(std::fs::File::create(&path).unwrap());
        let log = tracing_subscriber::fmt().with_env_filter(LOG).with_writer(file).finish();
        tracing::subscriber::with_default(log, || {
            tell(Progress::Begun(tropos_db::shard::moving::Step::Copy))
        });
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("slots are being moved") && text.contains("Copy"), "{text}");
    }

    #[test]
    fn a_misspelled_task_is_none() {
        for line in [
            "db",
            "db move-slots 0-9 a",
            "db move-slots 0-9 a b --now",
            "db drop",
            "db reset --force",
            "db migrate now",
            "doctor --instances many",
        ] {
            assert_eq!(Task::parse(&line.split_whitespace().collect::<Vec<_>>()), None, "{line}");
        }
    }

    #[tokio::test]
    async fn a_database_goes_from_nothing_to_filled_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let (app, config) = (app(), config(&folder));
        let run = async |line: &str| task(line).run(&app, &config).await.unwrap();

        let step = json!([{ "version": 1, "description": "entry" }]);
        let status = run("db status").await;
        assert!(!status.well);
        assert_eq!(
            status.report,
            json!({ "shards": [{ "shard": "main", "applied": [], "pending": step, "changed": [], "unknown": [] }] })
        );
        assert!(matches!(task("db seed").run(&app, &config).await, Err(Error::Database(_))), "not migrated");
        let applied = json!([{ "shard": "main", "applied": step }]);
        assert_eq!(run("db migrate").await.report, json!({ "shards": applied }));
        assert!(run("db status").await.well);
        assert_eq!(run("db seed").await.report, json!({ "seeded": true }));
        assert_eq!(run("db reset --yes").await.report, json!({ "shards": applied, "seeded": true }));
        let none = json!([{ "shard": "main", "applied": [] }]);
        assert_eq!(run("db migrate").await.report, json!({ "shards": none }));
    }

    #[tokio::test]
    async fn a_reset_must_be_meant_and_more_so_in_production() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        task("db migrate").run(&app(), &config).await.unwrap();
        for (production, line, flag) in [
            (false, "db reset", Some("--yes")),
            (true, "db reset --yes-destroy-production-data", Some("--yes")),
            (true, "db reset --yes", Some("--yes-destroy-production-data")),
            (true, "db reset --yes --yes-destroy-production-data", None),
        ] {
            config.production = production;
            match (task(line).run(&app(), &config).await, flag) {
                (Err(error), Some(flag)) => {
                    let text = error.to_string();
                    assert!(text.starts_with("nothing was dropped") && text.ends_with(flag), "{text}");
                    assert!(text.contains("app.db"), "{text}");
                }
                (Ok(_), None) => {}
                (other, _) => panic!("{line}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn an_application_without_a_database_is_told_so_and_has_nothing_wrong_with_it() {
        let config = Config::default();
        assert!(matches!(task("db status").run(&App::new(), &config).await, Err(Error::NoDatabase)));
        let done = task("doctor --instances 3").run(&App::new(), &config).await.unwrap();
        assert_eq!((&done.report["findings"], done.well), (&json!([]), true));
    }

    #[tokio::test]
    async fn the_doctor_names_what_cannot_be_reached() {
        let config =
            Config { database: tropos_db::Config::new("postgres://127.0.0.1:1/x"), ..Config::default() };
        let done = task("doctor").run(&app(), &config).await.unwrap();
        assert!(!done.well);
        assert_eq!(done.report["findings"][0]["subject"], "main 127.0.0.1:1");
        assert_eq!(done.report["findings"][0]["level"], "problem");
    }
}
