//! Where reports go, and by what name.

use crate::Error;
use sentry_types::Dsn;
use std::fmt;

/// Where reports go, and by what name.
#[derive(Clone)]
pub struct Settings {
    /// Sentry's address; `None`: nothing is sent, and listeners alone are told.
    pub(super) dsn: Option<Dsn>,
    /// Where the application runs, as `production`.
    pub environment: Option<String>,
    /// The application and its version, as `shop@1.4.0`.
    pub release: Option<String>,
    /// Which part of the reports Sentry is sent, from 0 to 1. All by default: repeats are limited anyway.
    pub(super) sample_rate: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { dsn: None, environment: None, release: None, sample_rate: 1.0 }
    }
}

impl Settings {
    /// Sends to the address that Sentry names for a project: `https://KEY@HOST/PROJECT`.
    ///
    /// # Errors
    /// [`Error::Setting`] for one that is none. The text is not repeated: it holds a key.
    pub fn dsn(mut self, dsn: &str) -> Result<Self, Error> {
        let wrong = |error: sentry_types::ParseDsnError| Error::Setting {
            name: "SENTRY_DSN",
            reason: format!(
                "{error}; copy it from the project's settings, such as https://KEY@sentry.example/1"
            ),
        };
        self.dsn = Some(dsn.parse().map_err(wrong)?);
        Ok(self)
    }

    /// Sends this part of the reports, from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Setting`] for what is no such number.
    pub fn sample_rate(mut self, rate: &str) -> Result<Self, Error> {
        let parsed = rate.parse::<f64>().ok().filter(|rate| (0.0..=1.0).contains(rate));
        let reason = || format!("`{rate}` is not a part from 0 to 1, such as `0.25`");
        self.sample_rate =
            parsed.ok_or_else(|| Error::Setting { name: "SENTRY_SAMPLE_RATE", reason: reason() })?;
        Ok(self)
    }

    /// Whether anything is sent.
    pub fn sends(&self) -> bool {
        self.dsn.is_some()
    }
}

impl fmt::Debug for Settings {
    /// Without the key of the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("dsn", &self.dsn.as_ref().map(Dsn::host))
            .field("environment", &self.environment)
            .field("release", &self.release)
            .field("sample_rate", &self.sample_rate)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_cannot_be_understood_is_named_without_its_key() {
        let error = Settings::default().dsn("https://planted@").unwrap_err().to_string();
        assert!(error.starts_with("SENTRY_DSN: ") && !error.contains("planted"), "{error}");
        for wrong in ["1.5", "-0.1", "NaN", "all", ""] {
            let error = Settings::default().sample_rate(wrong).unwrap_err().to_string();
            assert!(error.contains("SENTRY_SAMPLE_RATE") && error.contains("0 to 1"), "{error}");
        }
        let settings = Settings::default().dsn("https://planted@s.example/7").unwrap();
        assert!(settings.sends());
        let shown = format!("{settings:?}");
        assert!(shown.contains("s.example") && !shown.contains("planted"), "{shown}");
    }
}
