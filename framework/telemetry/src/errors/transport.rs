//! What sends to Sentry: one envelope at a time, and none while it is known not to answer.

use super::{
    event::{self, AGENT},
    report::{ErrorContext, ErrorReport},
};
use crate::Error;
use reqwest::{Client, Response, StatusCode, Url, header};
use sentry_types::Dsn;
use std::{sync::Arc, time::Duration};
use tropos_core::{Clock, Tick};

/// Who does not take an envelope by then is taken for dead.
const TIMEOUT: Duration = Duration::from_secs(5);

/// After a failure nothing is sent for so long, doubled at each further one: an outage is not knocked at.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What Sentry may ask for; a longer pause is taken for a mistake.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// What became of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Taken,
    /// Sentry said no, or has asked for a pause.
    Refused,
    Unreachable,
}

pub(super) struct Transport {
    client: Client,
    url: Url,
    auth: String,
    clock: Arc<dyn Clock>,
    /// Until when nothing is sent, and what becomes of reports meanwhile.
    paused: Option<(Tick, Sent)>,
    /// How often it failed in a row.
    failures: u32,
}

impl Transport {
    pub(super) fn new(dsn: Dsn, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        // Fails where a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(AGENT)
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| Error::Client(error.to_string()))?;
        let url = dsn.envelope_api_url().as_str().parse::<Url>();
        let url = url.map_err(|error| Error::Client(error.to_string()))?;
        Ok(Self { client, url, auth: dsn.to_auth(Some(AGENT)).to_string(), clock, paused: None, failures: 0 })
    }

    pub(super) async fn send(&mut self, report: &ErrorReport, context: &ErrorContext) -> Sent {
        if let Some((until, sent)) = self.paused {
            if self.clock.now() < until {
                return sent;
            }
            self.paused = None;
        }
        let Ok(envelope) = event::envelope(report, context) else { return Sent::Refused };
        let request = self
            .client
            .post(self.url.clone())
            .header("x-sentry-auth", &self.auth)
            .header(header::CONTENT_TYPE, "application/x-sentry-envelope")
            .body(envelope);
        let (sent, pause) = match request.send().await {
            Ok(response) => self.answered(&response),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "Sentry does not answer");
                (Sent::Unreachable, Some(self.after_failure()))
            }
        };
        self.paused = pause.map(|pause| {
            let meanwhile = if sent == Sent::Unreachable { sent } else { Sent::Refused };
            (self.clock.now().plus(pause), meanwhile)
        });
        sent
    }

    fn answered(&mut self, response: &Response) -> (Sent, Option<Duration>) {
        let status = response.status();
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = text("x-sentry-rate-limits").and_then(pause_asked).or_else(|| {
            let after = text("retry-after").filter(|_| status == StatusCode::TOO_MANY_REQUESTS)?;
            // Its other form is a date; a minute is what Sentry's own clients take then.
            Some(Duration::from_secs(after.trim().parse().unwrap_or(60)).min(LONGEST_ASKED))
        });
        match status {
            _ if status.is_success() => {
                self.failures = 0;
                (Sent::Taken, asked)
            }
            _ if status.is_server_error() => (Sent::Unreachable, Some(asked.unwrap_or(self.after_failure()))),
            StatusCode::TOO_MANY_REQUESTS => (Sent::Refused, asked.or(Some(LONGEST_PAUSE))),
            _ => {
                tracing::debug!(%status, "Sentry refused a report: is SENTRY_DSN that of a project that exists?");
                (Sent::Refused, asked)
            }
        }
    }

    fn after_failure(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(6)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

/// For how long errors may not be sent, by `X-Sentry-Rate-Limits: SECONDS:CATEGORIES:SCOPE…, …`. No category is all.
fn pause_asked(header: &str) -> Option<Duration> {
    let limits = header.split(',').filter_map(|limit| {
        let mut parts = limit.trim().split(':');
        let seconds: f64 = parts.next()?.parse().ok()?;
        let categories = parts.next().unwrap_or_default();
        let concerns = categories.is_empty() || categories.split(';').any(|category| category == "error");
        Duration::try_from_secs_f64(seconds).ok().filter(|_| concerns)
    });
    limits.max().map(|pause| pause.min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_what_sentry_asks_for_errors() {
        for (header, seconds) in [
            ("60:error:organization", Some(60)),
            ("60:transaction;error:key, 2700:default;session:organization", Some(60)),
            ("60::key", Some(60)),
            ("60", Some(60)),
            ("5::key, 90:error:org", Some(90)),
            ("60:transaction:key", None),
            ("999999:error:key", Some(3_600)),
            ("soon:error", None),
            ("-1:error", None),
            ("", None),
        ] {
            assert_eq!(pause_asked(header).map(|pause| pause.as_secs()), seconds, "{header}");
        }
    }
}
