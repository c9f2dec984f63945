//! How what a program knows and what a database has had applied stand to each other (pure).

use sqlx::migrate::{Migration, Migrator};
use std::{collections::BTreeMap, fmt};

/// A migration, as people name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Its number, by which they are ordered: what its file's name begins with.
    pub version: i64,
    /// The rest of its file's name.
    pub description: String,
}

/// How the migrations of a program and those that a database has had applied stand to each other. Each list is in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Status {
    /// Applied, as the program knows them.
    pub applied: Vec<Step>,
    /// Known to the program and not applied.
    pub pending: Vec<Step>,
    /// Applied, and with another text since: what the database has had cannot be told any more.
    pub changed: Vec<Step>,
    /// Applied, and not known to the program: a newer one has been at work. No error, so that instances of both can run
    /// while one replaces the other, and the older one can come back.
    pub unknown: Vec<Step>,
}

/// The status of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardStatus {
    /// The shard's name.
    pub shard: String,
    /// Its status.
    pub status: Status,
}

impl Status {
    /// Whether the program can run on the database: nothing lacks, and nothing was applied in another form.
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.changed.is_empty()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.description)
    }
}

/// Migrations in a message.
pub(super) fn listed(steps: &[Step]) -> String {
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl From<&Migration> for Step {
    fn from(migration: &Migration) -> Self {
        Self { version: migration.version, description: migration.description.to_string() }
    }
}

/// A row of the table of applied migrations.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub(super) step: Step,
    /// SHA-384 of its text.
    pub(super) checksum: Vec<u8>,
}

/// The steps forward, in order. Steps back are for sqlx's own command.
pub(super) fn forward(migrations: &Migrator) -> Vec<&Migration> {
    let mut steps: Vec<_> =
        migrations.iter().filter(|migration| !migration.migration_type.is_down_migration()).collect();
    steps.sort_by_key(|migration| migration.version);
    steps
}

/// Compares what is known to what is applied.
pub(super) fn compare(known: &Migrator, applied: &[Applied]) -> Status {
    let mut rows: BTreeMap<i64, &Applied> = applied.iter().map(|row| (row.step.version, row)).collect();
    let mut status = Status::default();
    for migration in forward(known) {
        let list = match rows.remove(&migration.version) {
            None => &mut status.pending,
            Some(row) if row.checksum == *migration.checksum => &mut status.applied,
            Some(_) => &mut status.changed,
        };
        list.push(migration.into());
    }
    status.unknown = rows.into_values().map(|row| row.step.clone()).collect();
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{SqlSafeStr as _, migrate::MigrationType};

    fn migration(version: i64, kind: MigrationType, sql: &'static str) -> Migration {
        Migration::new(version, format!("step {version}").into(), kind, sql.into_sql_str(), false)
    }

    fn row(version: i64, sql: &'static str) -> Applied {
        let migration = migration(version, MigrationType::Simple, sql);
        Applied { step: (&migration).into(), checksum: migration.checksum.to_vec() }
    }

    #[test]
    fn each_migration_is_in_one_list() {
        let known = Migrator::with_migrations(vec![
            migration(3, MigrationType::Simple, "c"),
            migration(2, MigrationType::ReversibleUp, "b"),
            migration(2, MigrationType::ReversibleDown, "undo b"),
            migration(1, MigrationType::Simple, "a"),
        ]);
        type Lists = [&'static [i64]; 4];
        let cases: [(&str, Vec<Applied>, Lists); 6] = [
            ("a new database", vec![], [&[], &[1, 2, 3], &[], &[]]),
            ("some applied", vec![row(1, "a")], [&[1], &[2, 3], &[], &[]]),
            ("all applied", vec![row(1, "a"), row(2, "b"), row(3, "c")], [&[1, 2, 3], &[], &[], &[]]),
            ("one in between is missing", vec![row(1, "a"), row(3, "c")], [&[1, 3], &[2], &[], &[]]),
            ("one has changed", vec![row(1, "a"), row(2, "x")], [&[1], &[3], &[2], &[]]),
            (
                "a newer program was here",
                vec![row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")],
                [&[1, 2, 3], &[], &[], &[4]],
            ),
        ];
        for (name, applied, lists) in cases {
            let status = compare(&known, &applied);
            let versions = |steps: &[Step]| steps.iter().map(|step| step.version).collect::<Vec<_>>();
            let found = [&status.applied, &status.pending, &status.changed, &status.unknown];
            assert_eq!(found.map(|steps| versions(steps)), lists.map(<[i64]>::to_vec), "{name}");
            assert_eq!(status.is_current(), lists[1].is_empty() && lists[2].is_empty(), "{name}");
        }
    }

    #[test]
    fn a_migration_is_named_by_number_and_words() {
        let steps = [row(1, "a").step, row(20, "b").step];
        assert_eq!(listed(&steps), "1 (step 1), 20 (step 20)");
    }
}
