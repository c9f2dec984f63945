//! From the dev server to all open pages.

use super::event::{Event, Problem, Source};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::broadcast, time::Instant};
use tropos_dev::views::ViewPatch;

/// Events that a slow browser may lag behind; then its stream ends, and it connects anew and is told how things stand.
const BEHIND: usize = 64;

/// Static files that are remembered to have changed: more than anybody edits while a page is out of sight.
const MOST_CHANGED: usize = 500;

/// Problems of the running application that are shown at a time: more nobody reads.
const MOST_PROBLEMS: usize = 10;

/// Sends events, and tells who comes later how things stand.
pub(crate) struct Hub {
    sender: broadcast::Sender<Arc<str>>,
    state: Mutex<State>,
}

/// How things stand.
#[derive(Debug, Default, Clone)]
struct State {
    /// Of the process that answers, or answered last; 0 before the first.
    version: u64,
    /// Whether it answers.
    answers: bool,
    /// By building: gone with the next process.
    errors: Vec<Problem>,
    building: Option<Event>,
    /// What pages that the process serves must be patched by.
    patches: Vec<ViewPatch>,
    /// Static files, with the time of their last change, and whether they are style sheets.
    changed: BTreeMap<String, (Instant, bool)>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::Sender::new(BEHIND), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all, and remembers what later ones must know.
    pub(crate) fn send(&self, event: Event) {
        let mut state = self.state();
        state.learn(&event);
        // Nobody may listen; and within the lock, so that a greeting is neither older nor newer than what follows it.
        let _ = self.sender.send(text(&event));
    }

    /// What a page that connects now is told, and what it will be told.
    pub(crate) fn subscribe(&self) -> (Vec<Arc<str>>, broadcast::Receiver<Arc<str>>) {
        let state = self.state();
        (state.greeting().iter().map(text).collect(), self.sender.subscribe())
    }

    /// The static files that changed within the last `away`, for a page that did not listen for so long.
    pub(crate) fn missed(&self, away: Duration) -> Vec<Arc<str>> {
        let state = self.state();
        let of = |sheets: bool| -> Vec<String> {
            let wanted =
                state.changed.iter().filter(|(_, (at, sheet))| *sheet == sheets && at.elapsed() <= away);
            wanted.map(|(file, _)| file.clone()).collect()
        };
        let (sheets, others) = (of(true), of(false));
        let mut events = Vec::new();
        if !sheets.is_empty() {
            events.push(text(&Event::Styles { files: sheets }));
        }
        if !others.is_empty() {
            events.push(text(&Event::Files { files: others }));
        }
        events
    }

    /// The number of the process that answers, or answered last; 0 before the first.
    pub(crate) fn version(&self) -> u64 {
        self.state().version
    }

    /// No process answers any more. Who connects later is not told that one does.
    pub(crate) fn lost(&self) {
        self.state().answers = false;
    }

    /// The views that pages of the present process are to be patched by, all of them.
    pub(crate) fn set_patches(&self, views: Vec<ViewPatch>) {
        self.state().patches = views;
    }

    /// Lets go of the problems of a page of the running application, now that it rendered again; and of those that are no
    /// page's.
    pub(crate) fn rendered(&self, path: &str) {
        let mut state = self.state();
        let before = state.errors.len();
        state.errors.retain(|problem| {
            let runs = matches!(problem.source, Source::Panic | Source::Render);
            !runs || problem.path.as_deref().is_some_and(|of| of != path)
        });
        if state.errors.len() < before {
            let left = match state.errors.is_empty() {
                true => Event::Cleared,
                false => Event::Errors { errors: state.errors.clone() },
            };
            let _ = self.sender.send(text(&left));
        }
    }

    /// Shows a problem of the running process of this number beside what is shown, but not twice. One of a process that was
    /// replaced is nobody's any more.
    pub(crate) fn add(&self, version: u64, problem: Problem) {
        let mut state = self.state();
        if state.version != version || state.errors.contains(&problem) || state.errors.len() >= MOST_PROBLEMS
        {
            return;
        }
        state.errors.push(problem);
        let _ = self.sender.send(text(&Event::Errors { errors: state.errors.clone() }));
    }

    /// The problems that are shown now.
    #[cfg(test)]
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.state().errors.clone()
    }
}

impl State {
    fn learn(&mut self, event: &Event) {
        match event {
            Event::Building { .. } => self.building = Some(event.clone()),
            Event::Ready { version, .. } => {
                let changed = std::mem::take(&mut self.changed);
                *self = State { version: *version, answers: true, changed, ..State::default() };
            }
            Event::Errors { errors } => {
                self.errors.clone_from(errors);
                self.building = None;
            }
            Event::Cleared => {
                self.errors.clear();
                self.building = None;
            }
            Event::Styles { files } => self.note(files, true),
            Event::Files { files } => self.note(files, false),
            Event::Patch { .. } => {}
        }
    }

    fn note(&mut self, files: &[String], sheets: bool) {
        let now = Instant::now();
        for file in files {
            self.changed.insert(file.clone(), (now, sheets));
            if self.changed.len() > MOST_CHANGED
                && let Some(oldest) =
                    self.changed.iter().min_by_key(|(_, (at, _))| *at).map(|(file, _)| file.clone())
            {
                self.changed.remove(&oldest);
            }
        }
    }

    fn greeting(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.answers {
            // A page of an older process that missed the change loads again.
            events.push(Event::Ready { version: self.version, reload: true, renamed: Vec::new() });
        }
        events.extend(self.building.clone());
        if !self.patches.is_empty() {
            events.push(Event::Patch { views: self.patches.clone() });
        }
        if !self.errors.is_empty() {
            events.push(Event::Errors { errors: self.errors.clone() });
        }
        events
    }
}

fn text(event: &Event) -> Arc<str> {
    // These types serialise always: no map with keys that are no strings.
    serde_json::to_string(event).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::{super::event::What, *};

    fn problem(source: Source) -> Problem {
        Problem {
            source,
            title: "t".into(),
            text: String::new(),
            file: None,
            line: None,
            column: None,
            path: None,
        }
    }

    fn kinds(hub: &Hub) -> Vec<String> {
        let kind = |text: &Arc<str>| {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            value["kind"].as_str().unwrap().to_owned()
        };
        hub.subscribe().0.iter().map(kind).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_was_out_of_sight_is_told_which_files_changed_meanwhile() {
        let hub = Hub::new();
        hub.send(Event::Styles { files: vec!["/old.css".into()] });
        tokio::time::advance(Duration::from_secs(60)).await;
        hub.send(Event::Files { files: vec!["/logo.svg".into()] });
        hub.send(Event::Ready { version: 1, reload: false, renamed: Vec::new() });
        tokio::time::advance(Duration::from_secs(10)).await;
        let missed = |seconds| hub.missed(Duration::from_secs(seconds)).join(" ");
        assert_eq!(missed(5), "");
        assert_eq!(missed(20), r#"{"kind":"files","files":["/logo.svg"]}"#);
        assert!(missed(80).starts_with(r#"{"kind":"styles","files":["/old.css"]}"#));
        hub.send(Event::Files { files: (0..MOST_CHANGED).map(|n| format!("/{n}")).collect() });
        assert_eq!(hub.state().changed.len(), MOST_CHANGED);
        assert!(!missed(3_600).contains("old.css"), "the oldest goes first");
    }

    #[test]
    fn who_connects_later_is_told_how_things_stand() {
        let hub = Hub::new();
        assert!(kinds(&hub).is_empty());
        hub.send(Event::Building { what: What::Both, done: 1, total: 9 });
        assert_eq!(kinds(&hub), ["building"]);
        hub.send(Event::Errors { errors: vec![problem(Source::Compile)] });
        assert_eq!(kinds(&hub), ["errors"]);
        hub.send(Event::Ready { version: 1, reload: true, renamed: Vec::new() });
        assert_eq!(kinds(&hub), ["ready"]);
        let patch = ViewPatch {
            id: "a".into(),
            base: String::new(),
            from: String::new(),
            to: String::new(),
            old: Vec::new(),
            new: Vec::new(),
        };
        hub.set_patches(vec![patch]);
        assert_eq!(kinds(&hub), ["ready", "patch"]);
        hub.send(Event::Ready { version: 2, reload: false, renamed: Vec::new() });
        assert_eq!(kinds(&hub), ["ready"]);
        hub.lost();
        hub.send(Event::Errors { errors: vec![problem(Source::Start)] });
        assert_eq!((kinds(&hub), hub.version()), (vec!["errors".to_owned()], 2), "nobody answers");
    }

    #[test]
    fn a_problem_is_shown_beside_others_once_and_not_of_a_process_that_was_replaced() {
        let hub = Hub::new();
        let numbered = |line| Problem { line: Some(line), ..problem(Source::Panic) };
        hub.send(Event::Ready { version: 2, reload: true, renamed: Vec::new() });
        hub.add(1, numbered(0));
        assert!(hub.problems().is_empty());
        hub.send(Event::Errors { errors: vec![problem(Source::Compile)] });
        hub.add(2, numbered(1));
        hub.add(2, numbered(1));
        assert_eq!(hub.problems(), [problem(Source::Compile), numbered(1)]);
        (0..100).for_each(|line| hub.add(2, numbered(line)));
        assert_eq!(hub.problems().len(), MOST_PROBLEMS);
    }

    #[test]
    fn a_good_render_ends_the_problems_of_its_page_and_no_others() {
        let of = |path: &str| Problem { path: Some(path.to_owned()), ..problem(Source::Render) };
        let (anywhere, compile) = (problem(Source::Panic), problem(Source::Compile));
        for (name, problems, left) in [
            ("the page's", vec![of("/a")], vec![]),
            ("another page's", vec![of("/b")], vec![of("/b")]),
            ("both", vec![of("/a"), of("/b")], vec![of("/b")]),
            ("no page's", vec![anywhere], vec![]),
            ("the compiler's", vec![compile.clone()], vec![compile]),
        ] {
            let hub = Hub::new();
            hub.send(Event::Errors { errors: problems.clone() });
            let (_, mut told) = hub.subscribe();
            hub.rendered("/a");
            assert_eq!(hub.problems(), left, "{name}");
            assert_eq!(told.try_recv().is_ok(), problems != left, "{name}: pages are told of a change alone");
        }
    }
}
