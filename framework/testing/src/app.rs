//! An application in the process.

use crate::Answer;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};
use tropos_cache::{Engine, Strength};
use tropos_core::{ManualClock, Tag};
use tropos_server::{App, Config, Site};

/// An application in the process: requests go to it without a socket, ages by a clock that the test turns, and its
/// database, where it has one, is in memory.
pub struct TestApp {
    /// The clock by which ages go.
    pub clock: ManualClock,
    /// The application, to reach its engine and database.
    pub site: Arc<Site>,
}

impl TestApp {
    /// Opens `app` with a store in memory.
    ///
    /// # Panics
    /// When the application cannot start, with the reason.
    pub async fn new(app: App) -> Self {
        let mut config = Config::default();
        config.database = tropos_db::Config::new("sqlite::memory:");
        Self::with_config(app, config).await
    }

    /// Opens `app` with a configuration of its own.
    ///
    /// # Panics
    /// When the application cannot start, with the reason.
    #[expect(clippy::panic, reason = "a test that cannot start its application ends here")]
    pub async fn with_config(app: App, config: Config) -> Self {
        let clock = ManualClock::new();
        let engine = Engine::in_memory(Arc::new(clock.clone()));
        match Site::over(app, config, engine).await {
            Ok(site) => Self { clock, site },
            Err(error) => panic!("the application cannot start: {error}"),
        }
    }

    /// Asks for a page.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Self::request("GET", path, "", &[])).await
    }

    /// Asks for a page with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Self::request("GET", path, "", headers)).await
    }

    /// Posts a form as a browser without script does.
    pub async fn post_form(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let as_browser = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "text/html,application/xhtml+xml"),
            ("origin", "http://localhost"),
        ];
        let headers: Vec<_> = as_browser.iter().chain(headers).copied().collect();
        self.send(Self::request("POST", path, form, &headers)).await
    }

    /// A request to `http://localhost`.
    ///
    /// # Panics
    /// When path or headers are malformed.
    #[expect(clippy::panic, reason = "a malformed request is a mistake in the test")]
    pub fn request(method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Request<Body> {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(Body::from(body.to_owned())).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Sends a request and reads the answer to its end.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.start(request).await.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Sends a request and leaves the body to be read: for streams.
    pub async fn start(&self, request: Request<Body>) -> Response<Body> {
        self.site.clone().handle(request).await
    }

    /// Turns the clock.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Invalidates a tag, as `revalidate::tag` does.
    ///
    /// # Panics
    /// When the store refuses.
    #[expect(clippy::panic, reason = "the store in memory does not refuse")]
    pub async fn invalidate(&self, tag: impl Into<Tag>) {
        if let Err(error) = self.site.engine().invalidate(&[tag.into()], Strength::Hard).await {
            panic!("{error}");
        }
    }
}
