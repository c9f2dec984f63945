//! Many small reads of one render as one query.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use futures::{StreamExt, future::join_all, stream};
use proptest::prelude::*;
use std::{
    collections::{HashMap, HashSet},
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};
use tropos_cache::{Engine, Purpose, Scope};
use tropos_core::{Failure, ManualClock};
use tropos_db::{
    Config, Db, Loader,
    sqlx::{self, AssertSqlSafe},
};

type Found = Result<HashMap<u32, String>, Failure>;

/// What a test reads: counts queries, and fails on demand. A key of 1,000 and more has no value.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    queries: Vec<Vec<u32>>,
    failing: bool,
}

impl Table {
    fn read(&self) -> impl FnOnce(Vec<u32>) -> Pin<Box<dyn Future<Output = Found> + Send>> + Clone + use<> {
        let table = self.clone();
        move |keys| {
            Box::pin(async move {
                let failing = {
                    let mut state = table.0.lock().unwrap();
                    state.queries.push(keys.clone());
                    state.failing
                };
                tokio::task::yield_now().await;
                match failing {
                    true => Err(Failure::new("the table fails")),
                    false => {
                        Ok(keys.into_iter().filter(|key| *key < 1_000).map(|key| (key, value(key))).collect())
                    }
                }
            })
        }
    }

    fn fail(&self, failing: bool) {
        self.0.lock().unwrap().failing = failing;
    }

    /// The keys of each query until now.
    fn queries(&self) -> Vec<Vec<u32>> {
        self.0.lock().unwrap().queries.clone()
    }
}

fn value(key: u32) -> String {
    format!("value {key}")
}

fn scope(purpose: Purpose) -> Scope {
    Scope::new(&Engine::in_memory(Arc::new(ManualClock::new())), purpose)
}

/// Long enough for any machine: nothing here waits for anything but other tasks.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("waited in vain")
}

#[tokio::test]
async fn a_hundred_loads_at_once_are_one_query_of_each_key_once() {
    let (table, loader) = (Table::default(), Loader::new("test"));
    let loads = (0..100).map(|n| loader.load(n % 60, table.read()));
    let loaded = scope(Purpose::Stored).run(join_all(loads)).await;
    for (n, found) in (0..100).zip(loaded) {
        assert_eq!(found.unwrap(), Some(value(n % 60)));
    }
    assert_eq!(table.queries(), [(0..60).collect::<Vec<_>>()]);
}

#[tokio::test]
async fn what_a_component_asks_for_after_a_turn_is_in_the_same_query() {
    let (table, loader) = (Table::default(), Loader::new("test"));
    let late = async {
        tokio::task::yield_now().await;
        loader.load(2, table.read()).await
    };
    let (first, second) =
        scope(Purpose::Stored).run(async { tokio::join!(loader.load(1, table.read()), late) }).await;
    assert_eq!((first.unwrap(), second.unwrap()), (Some(value(1)), Some(value(2))));
    assert_eq!(table.queries(), [[1, 2]]);
}

#[tokio::test]
async fn tasks_that_a_render_spawns_share_its_batch() {
    static LOADER: Loader<u32, String> = Loader::new("test");
    let table = Table::default();
    let scope = scope(Purpose::Once);
    let tasks: Vec<_> = (0..10).map(|key| tokio::spawn(scope.wrap(LOADER.load(key, table.read())))).collect();
    for (key, task) in (0..).zip(tasks) {
        assert_eq!(task.await.unwrap().unwrap(), Some(value(key)));
    }
    assert_eq!(table.queries().len(), 1);
}

#[tokio::test]
async fn a_render_reads_a_key_once_and_remembers_what_does_not_exist() {
    for purpose in [Purpose::Stored, Purpose::Once, Purpose::Live] {
        let (table, loader) = (Table::default(), Loader::new("test"));
        let reads = async {
            for key in [1, 2, 1, 1_000, 1_000, 2] {
                let expected = (key < 1_000).then(|| value(key));
                assert_eq!(loader.load(key, table.read()).await.unwrap(), expected);
            }
        };
        scope(purpose).run(reads).await;
        assert_eq!(table.queries(), [[1], [2], [1_000]], "{purpose:?}");
    }
}

#[tokio::test]
async fn an_action_gathers_but_reads_again_what_it_may_have_written() {
    let (table, loader) = (Table::default(), Loader::new("test"));
    let action = async {
        for _ in 0..2 {
            join_all([1, 2, 1].map(|key| loader.load(key, table.read()))).await;
        }
    };
    scope(Purpose::Action).run(action).await;
    assert_eq!(table.queries(), [[1, 2], [1, 2]]);
}

#[tokio::test]
async fn what_an_action_has_written_is_read_though_an_older_query_is_under_way() {
    type Queries = Arc<Mutex<Vec<(Vec<u32>, oneshot::Sender<()>)>>>;
    for purpose in [Purpose::Action, Purpose::Stored] {
        let loader: &'static Loader<u32, usize> = Box::leak(Box::new(Loader::new("test")));
        let (scope, stored, queries) = (scope(purpose), Arc::new(AtomicUsize::new(1)), Queries::default());
        let load = |key| {
            let (stored, queries) = (stored.clone(), queries.clone());
            tokio::spawn(scope.wrap(loader.load(key, move |keys: Vec<u32>| async move {
                let seen = stored.load(Ordering::SeqCst);
                let (end, ended) = oneshot::channel();
                queries.lock().unwrap().push((keys.clone(), end));
                ended.await.unwrap();
                Ok(keys.into_iter().map(|key| (key, seen)).collect())
            })))
        };
        let under_way = async |count: usize| {
            soon(async {
                while queries.lock().unwrap().len() < count {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        };
        let end = || queries.lock().unwrap().remove(0).1.send(()).unwrap();
        let before = load(1);
        under_way(1).await;
        stored.store(2, Ordering::SeqCst);
        let after = load(1);
        if purpose != Purpose::Action {
            // A render sees one state of what it reads.
            end();
            assert_eq!(soon(before).await.unwrap().unwrap(), Some(1));
            assert_eq!(soon(after).await.unwrap().unwrap(), Some(1));
            continue;
        }
        under_way(2).await;
        end();
        assert_eq!(soon(before).await.unwrap().unwrap(), Some(1));
        end();
        assert_eq!(soon(after).await.unwrap().unwrap(), Some(2), "its own write");
    }
}

#[tokio::test]
async fn the_end_of_an_older_query_does_not_have_a_key_asked_for_twice_in_the_next() {
    // Before the next is sent, when it has just been, and while it runs.
    for turns in 0..6 {
        let loader: &'static Loader<u32, String> = Box::leak(Box::new(Loader::new("test")));
        let (table, scope) = (Table::default(), scope(Purpose::Action));
        let (begun, begins) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let older = tokio::spawn(scope.wrap(loader.load(1, |keys: Vec<u32>| async move {
            begun.send(()).unwrap();
            ended.await.unwrap();
            Ok(keys.into_iter().map(|key| (key, value(key))).collect())
        })));
        soon(begins).await.unwrap();
        let load = || tokio::spawn(scope.wrap(loader.load(1, table.read())));
        let next = load();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        end.send(()).unwrap();
        let last = load();
        for load in [older, next, last] {
            assert_eq!(soon(load).await.unwrap().unwrap(), Some(value(1)));
        }
        let queries = table.queries();
        assert!(queries.iter().all(|keys| keys == &[1]), "after {turns} turns: {queries:?}");
    }
}

#[tokio::test]
async fn an_error_reaches_all_of_its_batch_and_is_not_remembered() {
    let (table, loader) = (Table::default(), Loader::new("test"));
    table.fail(true);
    let render = async {
        for error in join_all((0..5).map(|key| loader.load(key, table.read()))).await {
            assert_eq!(error.unwrap_err().to_string(), "the table fails");
        }
        table.fail(false);
        assert_eq!(loader.load(3, table.read()).await.unwrap(), Some(value(3)));
    };
    scope(Purpose::Stored).run(render).await;
    assert_eq!(table.queries(), [vec![0, 1, 2, 3, 4], vec![3]]);
}

#[tokio::test]
async fn a_panic_is_an_error_for_all_who_wait() {
    let loader: Loader<u32, String> = Loader::new("names");
    let load = |key| loader.load(key, |_| async { panic!("by intent") });
    let (one, two) = scope(Purpose::Stored).run(async { tokio::join!(load(1), load(2)) }).await;
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert!(error.to_string().contains("the loader `names` (framework/db/tests/loader.rs:"), "{error}");
    }
}

#[tokio::test]
async fn more_keys_than_one_query_takes_go_into_others() {
    for (most, keys, expected) in
        [(500, 1_000, vec![500, 500]), (7, 20, vec![7, 7, 6]), (0, 2, vec![1, 1]), (500, 1, vec![1])]
    {
        let (table, loader) = (Table::default(), Loader::new("test").most(most));
        let loads = async { loader.load_many((0..keys).chain([0, 5_000]), table.read()).await };
        let found = scope(Purpose::Stored).run(loads).await.unwrap();
        let mut sizes: Vec<usize> = table.queries().iter().map(Vec::len).collect();
        let asked: usize = sizes.iter().sum();
        assert_eq!(asked, keys as usize + 1, "each once");
        *sizes.last_mut().unwrap() -= 1; // the one that does not exist
        sizes.retain(|size| *size > 0);
        assert_eq!(sizes, expected);
        assert_eq!(found.len(), keys.min(1_000) as usize);
    }
}

#[tokio::test]
async fn two_renders_share_nothing() {
    static LOADER: Loader<u32, String> = Loader::new("test");
    let table = Table::default();
    let load = || LOADER.load(1, table.read());
    let (one, two) = (scope(Purpose::Stored), scope(Purpose::Stored));
    let (one, two) = tokio::join!(one.run(load()), two.run(load()));
    assert_eq!((one.unwrap(), two.unwrap()), (Some(value(1)), Some(value(1))));
    assert_eq!(table.queries(), [[1], [1]]);
}

#[tokio::test]
async fn loaders_of_one_name_at_two_places_share_nothing() {
    let (one, two) = (Table::default(), Table::default());
    let (first, second) = (Loader::new("test"), Loader::new("test"));
    let loads = async { tokio::join!(first.load(1, one.read()), second.load(1, two.read())) };
    let (a, b) = scope(Purpose::Stored).run(loads).await;
    assert_eq!((a.unwrap(), b.unwrap()), (Some(value(1)), Some(value(1))));
    assert_eq!((one.queries(), two.queries()), (vec![vec![1]], vec![vec![1]]));
}

#[tokio::test]
async fn outside_of_a_scope_each_load_is_a_query() {
    let (table, loader) = (Table::default(), Loader::new("test"));
    assert_eq!(loader.load(1, table.read()).await.unwrap(), Some(value(1)));
    assert_eq!(loader.load(1_000, table.read()).await.unwrap(), None);
    assert_eq!(loader.load_many([1, 2, 1, 1_000], table.read()).await.unwrap().len(), 2);
    assert_eq!(table.queries(), [vec![1], vec![1_000], vec![1, 2, 1_000]]);
}

#[tokio::test]
async fn a_query_runs_in_the_scope_that_asked() {
    let loader: Loader<u32, ()> = Loader::new("test");
    let scope = scope(Purpose::Stored);
    let load = loader.load(1, |_| async {
        Scope::current().unwrap().add_tag("products".into());
        Ok(HashMap::new())
    });
    assert_eq!(scope.run(load).await.unwrap(), None);
    assert_eq!(scope.reads().tags, ["products"].into_iter().collect());
}

#[tokio::test]
async fn whoever_was_first_may_go_at_any_time() {
    // Before the batch is sent, when it has just been, and while its query runs.
    for turns in 0..6 {
        let (table, scope) = (Table::default(), scope(Purpose::Once));
        let loader: &'static Loader<u32, String> = Box::leak(Box::new(Loader::new("test")));
        let [first, second] = [1, 2].map(|key| tokio::spawn(scope.wrap(loader.load(key, table.read()))));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        first.abort();
        let found = soon(second).await.unwrap().unwrap();
        assert_eq!(found, Some(value(2)), "after {turns} turns");
        assert_eq!(table.queries().len(), 1, "after {turns} turns");
    }
}

#[tokio::test]
async fn a_render_that_is_dropped_drops_its_query_and_the_next_asks_anew() {
    /// Says when it is dropped.
    struct Guard(Option<oneshot::Sender<()>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.take().map_or(Ok(()), |gone| gone.send(())).ok();
        }
    }
    let (table, scope, loader) = (Table::default(), scope(Purpose::Once), Loader::new("test"));
    let (gone, dropped) = oneshot::channel();
    let (begun, begins) = oneshot::channel();
    let guard = Guard(Some(gone));
    let slow = loader.load(1, |_| async move {
        let _guard = guard;
        begun.send(()).unwrap();
        pending::<Found>().await
    });
    tokio::select! {
        _ = scope.run(slow) => unreachable!("its query never ends"),
        begun = begins => begun.unwrap(),
    }
    soon(dropped).await.unwrap();
    assert_eq!(soon(scope.run(loader.load(1, table.read()))).await.unwrap(), Some(value(1)));
}

#[tokio::test]
async fn who_is_not_polled_holds_up_nobody() {
    let (table, loader) = (Table::default(), Loader::new("test"));
    let render = async {
        let loads = stream::iter(0..4).map(|key| loader.load(key, table.read())).buffered(2);
        let mut loads = std::pin::pin!(loads);
        while let Some(found) = loads.next().await {
            found.unwrap();
            // The stream is not polled meanwhile, though its loads are in the batch of this one.
            loader.load(3, table.read()).await.unwrap();
        }
    };
    soon(scope(Purpose::Stored).run(render)).await;
}

#[tokio::test]
async fn a_page_of_fifty_rows_and_what_each_refers_to_is_two_queries() {
    let db: Db = Db::connect(&Config::new("sqlite::memory:")).await.unwrap();
    let setup = "create table product (id integer primary key, name text not null); \
        create table item (id integer primary key, product integer not null); \
        with recursive n (n) as (select 1 union all select n + 1 from n where n < 50) \
        insert into item select n, n % 7 from n; \
        insert into product select distinct product, 'name ' || product from item where product > 0";
    sqlx::raw_sql(setup).execute(db.write()).await.unwrap();
    let (loader, queries) = (Loader::new("products"), Arc::new(AtomicUsize::new(0)));
    let name = async |id: i64| {
        let (db, queries) = (db.clone(), queries.clone());
        let read = move |ids: Vec<i64>| async move {
            queries.fetch_add(1, Ordering::SeqCst);
            let places: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
            let sql = format!("select id, name from product where id in ({})", places.join(", "));
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for id in ids {
                query = query.bind(id);
            }
            let rows: Vec<(i64, String)> = query.fetch_all(db.read()).await?;
            Ok(rows.into_iter().collect())
        };
        loader.load(id, read).await.unwrap()
    };
    let page = async {
        let items = sqlx::query_as("select id, product from item order by id").fetch_all(db.read());
        let items: Vec<(i64, i64)> = items.await.unwrap();
        join_all(items.iter().map(|(_, product)| name(*product))).await
    };
    let names = scope(Purpose::Stored).run(page).await;
    assert_eq!(names.len(), 50);
    assert_eq!((&names[0], &names[6]), (&Some("name 1".to_owned()), &None));
    assert_eq!(queries.load(Ordering::SeqCst), 1);
}

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    Load(u32),
    /// Whoever asked as the `n`th goes.
    Drop(usize),
    Turns(usize),
    /// The oldest query ends, well or not.
    End(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u32).prop_map(Step::Load),
        2 => (0..20_usize).prop_map(Step::Drop),
        3 => (1..5_usize).prop_map(Step::Turns),
        3 => any::<bool>().prop_map(Step::End),
    ]
}

/// Queries that are under way, with their keys, in the order in which they began.
type Queries = Arc<Mutex<Vec<(Vec<u32>, oneshot::Sender<bool>)>>>;

async fn schedule(steps: Vec<Step>, purpose: Purpose) {
    const MOST: usize = 3;
    let loader: &'static Loader<u32, usize> = Box::leak(Box::new(Loader::new("test").most(MOST)));
    let action = purpose == Purpose::Action;
    let scope = scope(purpose);
    let (queries, begun) = (Queries::default(), Arc::new(AtomicUsize::new(0)));
    // Each value is the number of the query that has read it.
    let read = |queries: Queries, begun: Arc<AtomicUsize>| {
        move |keys: Vec<u32>| async move {
            let number = begun.fetch_add(1, Ordering::SeqCst);
            let (end, ended) = oneshot::channel();
            queries.lock().unwrap().push((keys.clone(), end));
            match ended.await {
                Ok(true) => Ok(keys.into_iter().map(|key| (key, number)).collect()),
                _ => Err(Failure::new("by intent")),
            }
        }
    };
    let end = |well: bool| {
        let mut under_way = queries.lock().unwrap();
        // Those that nobody waits for any more are gone.
        under_way.retain(|(_, end)| !end.is_closed());
        let distinct = |asked: &[u32]| asked.iter().collect::<HashSet<_>>().len() == asked.len();
        let asked: Vec<u32> = under_way.iter().flat_map(|(keys, _)| keys.clone()).collect();
        assert!(action || distinct(&asked), "no key is asked for twice at once: {asked:?}");
        assert!(under_way.iter().all(|(keys, _)| distinct(keys)), "nor in one query");
        assert!(under_way.iter().all(|(keys, _)| (1..=MOST).contains(&keys.len())), "bounded");
        if !under_way.is_empty() {
            under_way.remove(0).1.send(well).ok();
        }
    };
    let mut loads = Vec::new();
    for step in steps {
        match step {
            Step::Load(key) => {
                let load = loader.load(key, read(queries.clone(), begun.clone()));
                loads.push((begun.load(Ordering::SeqCst), tokio::spawn(scope.wrap(load))));
            }
            Step::Drop(n) => {
                if !loads.is_empty() {
                    let at = n % loads.len();
                    loads.swap_remove(at).1.abort();
                }
            }
            Step::Turns(turns) => {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            Step::End(well) => end(well),
        }
    }
    for (earlier, mut load) in loads {
        let found = loop {
            tokio::select! {
                biased;
                found = &mut load => break found.unwrap(),
                () = tokio::task::yield_now() => end(true),
            }
        };
        match found {
            // An action may have written before it asked: queries that had begun may not know.
            Ok(found) => assert!(found.is_some_and(|number| !action || number >= earlier), "{found:?}"),
            Err(error) => assert_eq!(error.to_string(), "by intent"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn in_every_order_of_asking_leaving_and_ending_all_who_stay_are_answered(
        steps in proptest::collection::vec(step(), 0..60),
        action in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let purpose = if action { Purpose::Action } else { Purpose::Stored };
        runtime.block_on(async { soon(schedule(steps, purpose)).await });
    }
}
