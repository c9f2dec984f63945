//! From the dev server to all open pages.

use super::event::{Event, Problem, Source};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;
use tropos_dev::views::ViewPatch;

/// Events that a slow browser may lag behind; then its stream ends, and it connects anew and is told how things stand.
const BEHIND: usize = 64;

/// Sends events, and tells who comes later how things stand.
pub(crate) struct Hub {
    sender: broadcast::Sender<Arc<str>>,
    state: Mutex<State>,
}

/// How things stand.
#[derive(Debug, Default, Clone)]
struct State {
    /// Of the process that answers; 0 before the first.
    version: u64,
    /// By building: gone with the next process.
    errors: Vec<Problem>,
    building: Option<Event>,
    /// What pages that the process serves must be patched by.
    patches: Vec<ViewPatch>,
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

    /// The problems that are shown now.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.state().errors.clone()
    }
}

impl State {
    fn learn(&mut self, event: &Event) {
        match event {
            Event::Building { .. } => self.building = Some(event.clone()),
            Event::Ready { version, .. } => {
                *self = State { version: *version, ..State::default() };
            }
            Event::Errors { errors } => {
                self.errors.clone_from(errors);
                self.building = None;
            }
            Event::Cleared => {
                self.errors.clear();
                self.building = None;
            }
            Event::Styles { .. } | Event::Files { .. } | Event::Patch { .. } => {}
        }
    }

    fn greeting(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.version > 0 {
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
