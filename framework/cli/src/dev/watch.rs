//! Which files changed, in bursts.

use super::plan::{Places, is_ignored};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// A burst is over once nothing more changed for so long: an editor writes, renames and sets times within a few
/// milliseconds.
const QUIET: Duration = Duration::from_millis(12);

/// And after so long in any case.
const LONGEST: Duration = Duration::from_millis(250);

/// More paths are not remembered one by one: a checkout of another branch.
const MOST: usize = 20_000;

/// Cargo's own configuration, which also stands beside the workspace's manifest.
const OF_CARGO: &str = ".cargo";

/// What changed within a moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Burst {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// More than is listed: the system's queue ran over, or there were too many.
    pub(crate) more: bool,
}

impl Burst {
    /// Learns of an event.
    fn add(&mut self, event: Event, places: &Places) {
        self.more |= event.need_rescan();
        for path in event.paths.into_iter().filter(|path| !is_ignored(path, places)) {
            match self.paths.len() < MOST {
                true => _ = self.paths.insert(path),
                false => self.more = true,
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.more
    }
}

/// What changed since it was last asked.
#[derive(Default)]
struct Changed {
    burst: Mutex<Burst>,
    wakes: Notify,
}

impl Changed {
    fn burst(&self) -> MutexGuard<'_, Burst> {
        self.burst.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches folders.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    changed: Arc<Changed>,
    places: Places,
    folders: Vec<PathBuf>,
    /// The workspace's folder, where it is none of these.
    shallow: Option<PathBuf>,
}

impl Watch {
    /// Watches these folders, but for what is ignored in them, and the files of `shallow`.
    ///
    /// # Errors
    /// Where the system watches no more: on Linux, `fs.inotify.max_user_watches` says how much.
    pub(crate) fn new(folders: &[PathBuf], shallow: &Path, places: Places) -> notify::Result<Self> {
        let changed = Arc::new(Changed::default());
        let (seen, ignores) = (changed.clone(), places.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) && !is_write(&event.kind) {
                return;
            }
            let mut burst = seen.burst();
            burst.add(event, &ignores);
            if !burst.is_empty() {
                seen.wakes.notify_one();
            }
        })?;
        let mut watch = Self { watcher, changed, places, folders: folders.to_vec(), shallow: None };
        for folder in folders {
            watch.add(folder)?;
        }
        if !folders.iter().any(|folder| folder == shallow) {
            watch.watcher.watch(shallow, RecursiveMode::NonRecursive)?;
            watch.shallow = Some(shallow.to_owned());
            let of_cargo = shallow.join(OF_CARGO);
            if of_cargo.is_dir() {
                watch.watcher.watch(&of_cargo, RecursiveMode::NonRecursive)?;
            }
        }
        Ok(watch)
    }

    /// The folder itself, and each within it with all that it holds: the target folder, which has thousands, is left out.
    fn add(&mut self, folder: &Path) -> notify::Result<()> {
        self.watcher.watch(folder, RecursiveMode::NonRecursive)?;
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !is_ignored(&path, &self.places) {
                self.watcher.watch(&path, RecursiveMode::Recursive)?;
            }
        }
        Ok(())
    }

    /// Waits for the next burst, and returns what changed in it.
    pub(crate) async fn next(&mut self) -> Burst {
        loop {
            self.changed.wakes.notified().await;
            let start = tokio::time::Instant::now();
            let mut seen = 0;
            loop {
                tokio::time::sleep(QUIET).await;
                let now = self.changed.burst().paths.len();
                if now == seen || start.elapsed() > LONGEST {
                    break;
                }
                seen = now;
            }
            let burst = std::mem::take(&mut *self.changed.burst());
            for path in &burst.paths {
                let parent = path.parent().unwrap_or(path);
                let of_cargo = self.shallow.as_deref() == Some(parent)
                    && path.file_name().is_some_and(|name| name == OF_CARGO);
                if (of_cargo || self.folders.iter().any(|known| known == parent)) && path.is_dir() {
                    // Watching it twice is harmless.
                    let _ = self.watcher.watch(path, RecursiveMode::Recursive);
                }
            }
            if !burst.is_empty() {
                return burst;
            }
        }
    }
}

fn is_write(kind: &EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn an_editors_rename_is_one_change_and_what_is_made_is_none() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for folder in ["src", "target/debug"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("src/a.rs"), "1").unwrap();
        let places = Places { package: root.clone(), workspace: root.clone(), ..Places::default() };
        let mut watch = Watch::new(std::slice::from_ref(&root), &root, places).unwrap();
        fs::write(root.join("target/debug/x"), "1").unwrap();
        fs::write(root.join("src/.a.rs.swp"), "2").unwrap();
        fs::rename(root.join("src/.a.rs.swp"), root.join("src/a.rs")).unwrap();
        let expected = Burst { paths: BTreeSet::from([root.join("src/a.rs")]), more: false };
        assert_eq!(watch.next().await, expected);

        fs::create_dir(root.join("public")).unwrap();
        assert!(watch.next().await.paths.contains(&root.join("public")));
        fs::write(root.join("public/a.css"), "1").unwrap();
        assert!(watch.next().await.paths.contains(&root.join("public/a.css")));
    }

    #[test]
    fn what_is_not_listed_is_known_to_be_missing() {
        let places = Places::default();
        let mut burst = Burst::default();
        burst.add(Event::new(EventKind::Other), &places);
        assert!(burst.is_empty());
        burst.add(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan), &places);
        assert!(burst.more && !burst.is_empty());
        let mut burst = Burst::default();
        for at in 0..=MOST {
            assert!(!burst.more);
            burst.add(Event::new(EventKind::Any).add_path(format!("/w/{at}.rs").into()), &places);
        }
        assert!(burst.more && burst.paths.len() == MOST);
    }

    #[tokio::test]
    async fn the_configuration_of_cargo_is_watched_beside_a_package_and_beside_the_workspace() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let package = root.join("shop");
        fs::create_dir_all(root.join(".cargo")).unwrap();
        fs::create_dir_all(package.join("src")).unwrap();
        let places = Places { package: package.clone(), workspace: root.clone(), ..Places::default() };
        let mut watch = Watch::new(std::slice::from_ref(&package), &root, places).unwrap();
        let file = root.join(".cargo/config.toml");
        fs::write(&file, "").unwrap();
        assert_eq!(watch.next().await.paths, BTreeSet::from([file]));
        // One that is made later is known by its folder, since its file may be there before anybody looks.
        fs::create_dir(package.join(".cargo")).unwrap();
        assert!(watch.next().await.paths.contains(&package.join(".cargo")));
        let file = package.join(".cargo/config.toml");
        fs::write(&file, "").unwrap();
        assert!(watch.next().await.paths.contains(&file));
    }
}
