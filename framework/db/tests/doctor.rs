//! What the doctor finds on real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::time::Duration;
use tropos_db::{
    Config, Pooler,
    doctor::{Finding, Level, examine},
};
use tropos_parts::{PgBouncer, PgBouncerOptions, PostgresClusterOptions};

/// With time enough for any machine to answer.
fn config(url: impl Into<String>) -> Config {
    let mut config = Config::new(url);
    config.pool.wait = Duration::from_secs(60);
    config
}

fn levels(findings: &[Finding]) -> Vec<(&str, Level)> {
    findings.iter().map(|finding| (finding.subject.split(' ').next().unwrap(), finding.level)).collect()
}

#[tokio::test]
async fn a_primary_with_a_replica_is_examined_whoever_is_configured_as_which() {
    let cluster = PostgresClusterOptions::new(1).start().await.unwrap();
    let (primary, replica) = (cluster.primary().url("postgres"), cluster.replica(0).url("postgres"));
    cluster.primary().psql("postgres", "create role app login connection limit 30").await.unwrap();
    cluster.wait_until_caught_up(0).await.unwrap();

    // The other way round: what they are, they say themselves.
    let config = config(&replica).replicas([&primary]);
    let findings = examine(&config, 2).await;
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:#?}");
    assert!(findings[0].says.starts_with("replica, PostgreSQL"), "{findings:#?}");
    assert!(findings[1].says.starts_with("primary, PostgreSQL"), "{findings:#?}");

    let findings = examine(&config, 5).await;
    let problems: Vec<_> = findings.iter().filter(|finding| finding.level == Level::Problem).collect();
    assert!(problems[0].says.starts_with("5 × (10 × 2 + 1) = 105, and 97 are allowed"), "{findings:#?}");
    assert_eq!(problems.len(), 1, "the replica has one pool, and so fits");
    let warnings: Vec<_> = findings.iter().filter(|finding| finding.level == Level::Warning).collect();
    let promoted = "after a promotion 5 × (10 × 2 + 1) = 105, and 97 are allowed";
    assert!(warnings.len() == 1 && warnings[0].says.starts_with(promoted), "{findings:#?}");

    let limited = self::config(cluster.primary().url_as("app", "postgres"));
    let findings = examine(&limited, 2).await;
    assert!(findings.iter().any(|it| it.says.contains("the connection limit of the user")), "{findings:#?}");
    assert!(
        findings.iter().any(|it| it.mend.as_ref().is_some_and(|it| it.contains("DATABASE_CONNECTIONS=7")))
    );

    cluster.promote(0).await.unwrap();
    let findings = examine(&config, 1).await;
    assert!(findings.iter().any(|it| it.says.starts_with("several servers say that they are the primary")));
    cluster.primary().stop().await.unwrap();
    let findings = examine(&config, 1).await;
    assert_eq!(
        levels(&findings),
        [("main", Level::Ok), ("main", Level::Problem), ("connections", Level::Ok)]
    );
}

#[tokio::test]
async fn through_a_pooler_the_question_is_answered_too() {
    let cluster = PostgresClusterOptions::new(0).start().await.unwrap();
    let pooler = PgBouncer::start(&[("postgres", cluster.primary())], PgBouncerOptions::new()).await.unwrap();
    let mut config = config(pooler.url("postgres"));
    config.pooler = Pooler::Transaction;
    let findings = examine(&config, 1).await;
    assert_eq!(levels(&findings), [("main", Level::Ok), ("connections", Level::Ok)], "{findings:#?}");
}

#[tokio::test]
async fn a_missing_file_is_not_made_and_slots_that_do_not_fit_are_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let url = format!("sqlite://{}", file.display());
    let findings = examine(&Config::new(&url), 1).await;
    assert_eq!(levels(&findings), [("main", Level::Ok)]);
    assert!(!file.exists());
    let shard = |name: &str| tropos_db::ShardConfig::new(name, &url).slots("0-99");
    let findings = examine(&Config::new("").shards(vec![shard("a"), shard("b")]), 1).await;
    assert_eq!(levels(&findings)[0], ("shards", Level::Problem), "{findings:#?}");
}
