//! The blog, its readers, and those who change it.

use super::{Plan, gauges::Kinds};
use crate::{
    Error,
    zipf::{Draws, Zipf},
};
use bytes::Bytes;
use http::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tropos_cache::{Data, Engine, Produced, Request, StoredPage, Strength, http::Coding, revalidate};
use tropos_core::{Ages, Failure, Key, ManualClock, Revalidate, Tag, Tags};

/// Posts lie in so many sections: `/blog/section-3/post-23`.
const SECTIONS: usize = 20;

/// Names in one invalidation of something else than posts: a nightly job that says all that it touched. As many as one
/// call over HTTP may have.
const NAMES_AT_ONCE: u64 = 1_000;

/// A page and its head, about as long as a small one.
const PAGE_BYTES: u64 = 1_500;

/// 20 requests a second.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);

/// The state of the blog, which outlives each process.
pub(super) struct Blog {
    versions: Vec<Arc<AtomicU64>>,
    zipf: Zipf,
    names: u64,
    /// So many paths were asked for that nobody had asked for before.
    unheard_of: u64,
    kinds: Kinds,
}

/// A page that somebody asks for.
struct Page {
    path: String,
    tag: Tag,
    /// `None`: there is no such page.
    version: Option<Arc<AtomicU64>>,
}

impl Blog {
    pub(super) fn new(plan: &Plan, kinds: Kinds) -> Self {
        Self {
            versions: (0..plan.posts).map(|_| Arc::default()).collect(),
            zipf: Zipf::new(plan.posts, 1.0),
            names: plan.names,
            unheard_of: 0,
            kinds,
        }
    }

    /// One request of any kind.
    pub(super) async fn step(
        &mut self,
        engine: &Engine,
        clock: &ManualClock,
        draws: &mut Draws,
    ) -> Result<(), Error> {
        clock.advance(BETWEEN_REQUESTS);
        let post = self.zipf.draw(draws);
        match draws.below(1_000) {
            0..450 => self.read(engine, self.post(post), draws).await,
            450..700 => {
                // Open parameters: any path is a page, and each is stored.
                let page = self.unheard_of("/blog/any", Some(Arc::default()));
                self.read(engine, page, draws).await
            }
            700..900 => {
                let page = self.unheard_of("/none", None);
                self.read(engine, page, draws).await
            }
            900..990 => self.list(engine, draws).await,
            990..995 => self.change(engine, post, draws).await,
            995..997 => {
                // Softly: the old may still be served, so nothing is owed.
                engine.invalidate(&[tag_of(post)], Strength::Soft).await?;
                Ok(())
            }
            _ => {
                let name = |_| Tag::from(("name", draws.below(self.names)));
                let names: Vec<Tag> = (0..NAMES_AT_ONCE).map(name).collect();
                engine.invalidate(&names, Strength::Hard).await?;
                Ok(())
            }
        }?;
        tokio::task::yield_now().await; // renders in the background get on
        Ok(())
    }

    fn post(&self, post: usize) -> Page {
        Page { path: path_of(post), tag: tag_of(post), version: self.versions.get(post).cloned() }
    }

    fn unheard_of(&mut self, beneath: &str, version: Option<Arc<AtomicU64>>) -> Page {
        self.unheard_of += 1;
        let path = format!("{beneath}/{}", self.unheard_of);
        Page { tag: Tag::from(("slug", self.unheard_of)), path, version }
    }

    /// Asks for a page, and holds the answer to the latest change that had been made known.
    async fn read(&self, engine: &Engine, page: Page, draws: &mut Draws) -> Result<(), Error> {
        let Page { path, tag, version } = page;
        let key = Key::page("/*path", &path, "");
        let request = Request {
            tags: Tag::of_path(&path).into_iter().chain([tag]).collect(),
            ..Request::new(&key, ages(60, 600)?)
        };
        let owed = version.as_ref().map(|version| version.load(Ordering::Relaxed));
        let (kinds, bytes) = (self.kinds.clone(), PAGE_BYTES / 2 + draws.below(PAGE_BYTES));
        let render = move || async move { Ok(render(&kinds, version.as_deref(), bytes)) };
        let served = engine.pages().serve(request, render).await;
        let page = served.result.map_err(|why| unanswered(&path, &why))?;
        match (owed, version_in(&page.value)) {
            (Some(owed), got) if got < owed => Err(Error::Outdated { what: path, got, owed }),
            _ => Ok(()),
        }
    }

    /// Asks for a list by a cached function, each time with other arguments.
    async fn list(&mut self, engine: &Engine, draws: &mut Draws) -> Result<(), Error> {
        self.unheard_of += 1;
        let key = Key::function("list", &self.unheard_of.to_string());
        let tags = Tags::default();
        let request = Request { tags, ..Request::new(&key, Ages::NEVER) };
        let (kinds, bytes) = (self.kinds.clone(), draws.below(2 * PAGE_BYTES));
        let produce = move || async move {
            let value = Data(kinds.data.hold(text(0, bytes)));
            Ok(Produced { value, negative: false, store: true })
        };
        let served = engine.data().serve(request, produce).await;
        served.result.map(drop).map_err(|why| unanswered(key.as_str(), &why))
    }

    /// A post changes, or a section; its tag, its path or the prefix is invalidated.
    async fn change(&self, engine: &Engine, post: usize, draws: &mut Draws) -> Result<(), Error> {
        let section = post % SECTIONS;
        let (tag, posts) = match draws.below(3) {
            0 => (tag_of(post), post..post + 1),
            1 => (revalidate::path_tag(&path_of(post))?, post..post + 1),
            _ => (revalidate::prefix_tag(&section_of(post))?, section..self.versions.len()),
        };
        let step = if posts.len() == 1 { 1 } else { SECTIONS };
        for version in posts.step_by(step).filter_map(|post| self.versions.get(post)) {
            version.fetch_add(1, Ordering::Relaxed);
        }
        engine.invalidate(&[tag], Strength::Hard).await?;
        Ok(())
    }
}

fn section_of(post: usize) -> String {
    format!("/blog/section-{}", post % SECTIONS)
}

fn path_of(post: usize) -> String {
    format!("{}/post-{post}", section_of(post))
}

fn tag_of(post: usize) -> Tag {
    Tag::from(("post", post))
}

fn ages(revalidate: u64, expire: u64) -> Result<Ages, Error> {
    let revalidate = Revalidate::After(Duration::from_secs(revalidate));
    Ages::new(revalidate, Some(Duration::from_secs(expire))).map_err(|error| Error::Plan(error.to_string()))
}

fn render(kinds: &Kinds, version: Option<&AtomicU64>, bytes: u64) -> Produced<StoredPage> {
    let page = |status, body: Bytes| StoredPage::new(status, Vec::new(), body);
    let value = match version.map(|version| version.load(Ordering::Relaxed)) {
        Some(version) => page(StatusCode::OK, kinds.pages.hold(text(version, bytes))),
        None => page(StatusCode::NOT_FOUND, kinds.negatives.hold(text(0, 100))),
    };
    Produced { value, negative: version.is_none(), store: true }
}

/// A text of at least eight bytes that begins with its version.
fn text(version: u64, bytes: u64) -> Vec<u8> {
    let mut text = version.to_le_bytes().to_vec();
    text.resize(usize::try_from(bytes).unwrap_or(0).max(text.len()), b'.');
    text
}

fn version_in(page: &StoredPage) -> u64 {
    page.body(Coding::Identity).bytes.first_chunk().map_or(0, |version| u64::from_le_bytes(*version))
}

fn unanswered(what: &str, why: &Failure) -> Error {
    Error::Unanswered { what: what.to_owned(), why: why.to_string() }
}
