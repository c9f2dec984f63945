//! What happens when: one loop over changes, rounds, ends and keys.

use super::{
    contents::Contents,
    event::{Event, Problem},
    job::{self, Done, Failed, Workshop},
    keys::{self, Key},
    layout::{Layout, Looked},
    plan::{Built, Places, Plan, plan},
    process::{Ended, Process},
    runtime,
    views::{Change, Views},
    watch::{Burst, Watch},
};
use crate::{Error, terminal};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

/// What a process that was replaced is answering may take so long to end.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Files that are remembered to have changed while a round runs; beyond that, everything is built again.
const MOST_LATER: usize = 5_000;

/// A round that is under way.
struct Round {
    plan: Plan,
    /// Whether open pages show already what it will come to.
    silent: bool,
    began: Instant,
    task: JoinHandle<Result<Done, Failed>>,
}

impl Round {
    /// Ends it, and comes back once it has let go of all that it started.
    async fn give_up(mut self) {
        self.task.abort();
        // That it was aborted is what was asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The dev server at work.
pub(crate) struct Session {
    workshop: Arc<Workshop>,
    layout: Layout,
    places: Places,
    built: Built,
    contents: Contents,
    views: Views,
    /// Whether the views know the sources: after the first build.
    loaded: bool,
    changes: mpsc::Receiver<Burst>,
    ends: mpsc::Receiver<Ended>,
    looks: mpsc::Receiver<Looked>,
    tell_looked: mpsc::Sender<Looked>,
    process: Option<Process>,
    /// Of the process that was started last.
    version: u64,
    round: Option<Round>,
    /// Files that changed since the round began and that nothing known is made of: what it turns out to be made of says
    /// whether they count. It may have read them as they were before.
    later: BTreeSet<PathBuf>,
    /// What rounds that failed left undone.
    owed: Plan,
    began: Instant,
    origin: String,
    opens: bool,
    /// How long ago the application was made, at the beginning.
    made: Option<Duration>,
}

impl Session {
    /// Begins to watch.
    ///
    /// # Errors
    /// Where the system watches no more.
    pub(crate) fn new(
        workshop: Workshop,
        layout: Layout,
        ends: mpsc::Receiver<Ended>,
        origin: String,
        opens: bool,
        made: Option<Duration>,
    ) -> Result<Self, Error> {
        let project = &workshop.project;
        let places = Places {
            package: project.directory.clone(),
            workspace: layout.workspace.clone(),
            packages: layout.packages.clone(),
            made: vec![project.target.clone(), project.out.clone()],
        };
        let changes = watch(&layout, &places)?;
        let mut contents = Contents::default();
        contents.learn(&known_files(&layout, &places));
        let (tell_looked, looks) = mpsc::channel(4);
        Ok(Self {
            views: Views::new(&layout.workspace),
            loaded: false,
            workshop: Arc::new(workshop),
            layout,
            places,
            built: Built::default(),
            contents,
            changes,
            ends,
            looks,
            tell_looked,
            process: None,
            version: 0,
            round: None,
            later: BTreeSet::new(),
            owed: Plan::default(),
            began: Instant::now(),
            origin,
            opens,
            made,
        })
    }

    /// Works until `end` is ready, and then ends what it started.
    pub(crate) async fn run(mut self, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        let mut keys = keys::listen();
        self.first_page();
        self.begin(all(), false);
        loop {
            tokio::select! {
                () = &mut end => break,
                Some(key) = keys.recv() => match key {
                    Key::Quit => break,
                    Key::Open => keys::open_browser(&self.origin),
                    Key::Rebuild => self.begin(all(), false),
                },
                Some(burst) = self.changes.recv() => match burst.more {
                    true => self.changed_unseen(),
                    false => self.changed(&burst.paths),
                },
                Some(ended) = self.ends.recv() => self.ended(&ended),
                Some(looked) = self.looks.recv() => self.looked(looked),
                result = finished(&mut self.round) => self.finish(result),
            }
        }
        // The runtime ends with this function, and would leave cargo to itself.
        if let Some(round) = self.round.take() {
            round.give_up().await;
        }
        self.workshop.proxy.upstream.switch(None);
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }

    /// Files changed.
    fn changed(&mut self, paths: &BTreeSet<PathBuf>) {
        let counting = paths.iter().filter(|path| self.may_count(path)).cloned().collect::<Vec<_>>();
        let differing: Vec<PathBuf> =
            counting.into_iter().filter(|path| path.is_dir() || self.contents.differs(path)).collect();
        let mut plan = plan(&differing, &self.places, &self.built);
        let hub = &self.workshop.proxy.hub;
        if !plan.styles.is_empty() {
            hub.send(Event::Styles { files: std::mem::take(&mut plan.styles).into_iter().collect() });
        }
        if !plan.files.is_empty() {
            hub.send(Event::Files { files: std::mem::take(&mut plan.files).into_iter().collect() });
        }
        if !plan.builds() {
            if self.round.is_some() {
                let room = (MOST_LATER + 1).saturating_sub(self.later.len());
                self.later.extend(differing.into_iter().take(room));
            }
            return;
        }
        let silent = self.patch(&plan);
        if plan.full {
            self.look_again();
        }
        self.begin(plan, silent);
    }

    /// Whether a change of the file may mean anything, before it is read: a log or a database in the package's folder is
    /// written all the time, and may be large. What a round that is under way is made of nobody knows yet.
    fn may_count(&self, path: &PathBuf) -> bool {
        self.round.is_some() || plan([path], &self.places, &self.built) != Plan::default()
    }

    /// More files changed than anybody listed, such as by a checkout of another branch.
    fn changed_unseen(&mut self) {
        self.look_again();
        self.begin(Plan { migrations: true, full: true, ..all() }, false);
    }

    /// Patches open pages, where the change is of views alone.
    fn patch(&mut self, plan: &Plan) -> bool {
        let mut silent = plan.may_be_shown(&self.owed);
        let mut patches = Vec::new();
        for source in &plan.sources {
            match self.views.change(source) {
                Change::None => {}
                Change::Patch(views) => patches.extend(views),
                Change::Code => silent = false,
            }
        }
        silent &= self.round.as_ref().is_none_or(|round| round.silent);
        if silent && !patches.is_empty() {
            let hub = &self.workshop.proxy.hub;
            hub.set_patches(self.views.pending());
            hub.send(Event::Patch { views: patches });
        }
        silent
    }

    /// Dependencies changed, and with them what is watched. Cargo is asked beside the loop, which goes on.
    fn look_again(&mut self) {
        let (workshop, tell) = (self.workshop.clone(), self.tell_looked.clone());
        tokio::task::spawn_blocking(move || {
            // What is wrong with a manifest cargo says in the round that follows.
            if let Ok(looked) = Looked::at(&workshop.project) {
                let _ = tell.blocking_send(looked);
            }
        });
    }

    /// Cargo answered.
    fn looked(&mut self, Looked { layout, stale }: Looked) {
        if let Some(what) = stale {
            terminal::say(&format!("{:>12} {what}: start the dev server anew", "note"));
        }
        if layout.packages == self.layout.packages {
            return;
        }
        let places = Places { packages: layout.packages.clone(), ..self.places.clone() };
        if let Ok(changes) = watch(&layout, &places) {
            (self.layout, self.places, self.changes) = (layout, places, changes);
        }
    }

    /// Begins a round, in place of one that is under way.
    fn begin(&mut self, plan: Plan, silent: bool) {
        self.later.clear();
        let mut plan = plan.and(&self.owed);
        if let Some(before) = self.round.take() {
            plan = plan.and(&before.plan);
        }
        self.workshop.warned.forget();
        self.views.building();
        self.version += 1;
        let (workshop, version, todo) = (self.workshop.clone(), self.version, plan.clone());
        let task = tokio::spawn(async move { job::run(&workshop, &todo, version).await });
        self.round = Some(Round { plan, silent, began: Instant::now(), task });
    }

    /// A round is over.
    fn finish(&mut self, result: Result<Done, Failed>) {
        let Some(round) = self.round.take() else { return };
        match result {
            Ok(done) => self.succeed(&round, done),
            Err(failed) => self.fail(&round, failed),
        }
        self.catch_up();
    }

    /// Begins again, where the round that is over was made of files that changed meanwhile.
    fn catch_up(&mut self) {
        let later = std::mem::take(&mut self.later);
        let plan = if later.len() > MOST_LATER { all() } else { plan(&later, &self.places, &self.built) };
        // Pages were told of static files when those changed. They are not patched: of which text the round was, nobody knows.
        if plan.builds() {
            plan.sources.iter().for_each(|source| drop(self.views.change(source)));
            self.begin(plan, false);
        }
    }

    fn succeed(&mut self, round: &Round, done: Done) {
        self.owed = Plan::default();
        (self.built.failed, self.built.said) = (false, String::new());
        self.built.learn(done.server, done.islands);
        self.contents.learn(self.built.server.iter().chain(&self.built.islands));
        if !self.loaded {
            self.views.load(self.built.server.union(&self.built.islands));
            self.loaded = true;
        }
        let renamed = self.views.compiled();
        let proxy = &self.workshop.proxy;
        let application = done.process.application.clone();
        let version = application.version;
        proxy.upstream.switch(Some(application.clone()));
        proxy.hub.send(Event::Ready { version, reload: !round.silent, renamed });
        tokio::spawn(runtime::follow(proxy.clone(), application));
        let first = self.process.is_none();
        if let Some(before) = self.process.replace(done.process) {
            tokio::spawn(async move {
                before.application.idle(LAST_ANSWERS).await;
                before.stop().await;
            });
        }
        let phases: Vec<String> =
            done.phases.iter().map(|(name, span)| format!("{name} {}", terminal::seconds(*span))).collect();
        let all = terminal::seconds(round.began.elapsed());
        terminal::say(&format!("{:>12} in {all} ({}) · {}", "ready", phases.join(" · "), self.origin));
        if first && std::mem::take(&mut self.opens) {
            keys::open_browser(&self.origin);
        }
    }

    fn fail(&mut self, round: &Round, failed: Failed) {
        self.built.failed = !failed.compiled;
        self.built.said = match failed.compiled {
            true => String::new(),
            false => failed.problems.iter().map(|problem| problem.text.as_str()).collect(),
        };
        self.built.learn(failed.server, failed.islands);
        self.contents.learn(self.built.server.iter().chain(&self.built.islands));
        self.owed =
            if failed.compiled { Plan { restart: true, ..Plan::default() } } else { round.plan.clone() };
        self.show(failed.problems);
        let still = if self.process.is_some() { "; pages are of the build before" } else { "" };
        terminal::say(&format!("{:>12} after {}{still}", "failed", terminal::seconds(round.began.elapsed())));
    }

    fn show(&self, errors: Vec<Problem>) {
        self.workshop.proxy.hub.send(Event::Errors { errors });
    }

    /// A process ended by itself.
    fn ended(&mut self, ended: &Ended) {
        if self.workshop.proxy.upstream.lost(ended.version) {
            self.workshop.proxy.hub.lost();
            self.process = None;
            self.owed = Plan { restart: true, ..Plan::default() }.and(&self.owed);
            terminal::say(&format!(
                "{:>12} {}; it starts again with the next change",
                "note", ended.problem.title
            ));
            self.show(vec![ended.problem.clone()]);
        }
    }

    /// Says once how long it took until somebody saw a page.
    fn first_page(&self) {
        let (workshop, began, made) = (self.workshop.clone(), self.began, self.made);
        tokio::spawn(async move {
            workshop.proxy.first_page().await;
            let since_made = made.map(|made| {
                format!(", {} after the application was made", terminal::seconds(made + began.elapsed()))
            });
            let span = terminal::seconds(began.elapsed());
            terminal::say(&format!("{:>12} after {span}{}", "first page", since_made.unwrap_or_default()));
        });
    }
}

/// Everything.
fn all() -> Plan {
    Plan { server: true, islands: true, restart: true, ..Plan::default() }
}

/// Waits for the round that is under way; for ever where there is none.
async fn finished(round: &mut Option<Round>) -> Result<Done, Failed> {
    match round {
        Some(round) => match (&mut round.task).await {
            Ok(result) => result,
            Err(error) => Err(Failed::early(vec![super::compile::of_cargo(&error.to_string())])),
        },
        None => std::future::pending().await,
    }
}

/// Manifests and the like, whose first change must be told from cargo's writing them anew.
fn known_files(layout: &Layout, places: &Places) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = layout.packages.iter().map(|package| package.join("Cargo.toml")).collect();
    files.extend(["Cargo.toml", "Cargo.lock", ".cargo/config.toml"].map(|name| places.workspace.join(name)));
    files.push(places.package.join("tropos.toml"));
    files
}

/// Bursts of changes, as long as somebody receives them.
fn watch(layout: &Layout, places: &Places) -> Result<mpsc::Receiver<Burst>, Error> {
    let mut watch = Watch::new(&layout.packages, &layout.workspace, places.clone())
        .map_err(|error| Error::Project(format!("the sources cannot be watched: {error}")))?;
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let burst = tokio::select! {
                burst = watch.next() => burst,
                () = sender.closed() => return,
            };
            if sender.send(burst).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_round_that_is_given_up_has_let_go_of_what_it_held() {
        let held = Arc::new(());
        let holds = held.clone();
        let (begins, begun) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let _holds = holds;
            let _ = begins.send(());
            std::future::pending().await
        });
        begun.await.unwrap();
        Round { plan: Plan::default(), silent: false, began: Instant::now(), task }.give_up().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
