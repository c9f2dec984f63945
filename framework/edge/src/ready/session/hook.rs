//! Sessions as a hook: the cookie is read, and renewed in time.

use super::Sessions;
use crate::{
    Decision, EdgeRequest, Edits, Error, Hook, Platform, Verdict,
    edits::ContextValue,
    ready::{is_for_a_file, secret::problem},
};
use cookie::SameSite;
use http::Method;
use std::time::Duration;

/// Clocks of instances may differ by this much at most before tokens are refused; more would be a fault to be mended.
const MOST_LEEWAY: Duration = Duration::from_secs(300);

impl<T: ContextValue> Hook for Sessions<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        let now = request.now();
        let name = self.cookie_name();
        if let Some(opened) = request.cookie(&name).and_then(|token| self.read(token, now)) {
            edits.context(&opened.value);
            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
            if opened.is_due && reads && !is_for_a_file(request) {
                match self.seal(&opened.value, opened.born / 1000, now) {
                    Ok(cookie) => edits.set_cookie(cookie),
                    Err(error) => return Verdict::Now(Err(error)),
                }
            }
        }
        Decision::Next.into()
    }

    fn depends_on_visitor(&self) -> bool {
        // Stored pages cannot see the session; whatever decides by it says so itself.
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        if let Some(problem) = problem(&self.keys) {
            return Err(self.wrong(problem));
        }
        let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if self.name.is_empty() || !self.name.bytes().all(token) {
            return Err(self.wrong("its cookie's name is to be of letters, digits, `-`, `_` and `.`"));
        }
        if self.purpose.contains('\0') {
            return Err(self.wrong("its purpose must not have a zero byte"));
        }
        if self.lifetime < Duration::from_secs(60) || self.at_most < self.lifetime {
            return Err(self.wrong("a lifetime is at least a minute, and no longer than `at_most`"));
        }
        if self.leeway > MOST_LEEWAY {
            return Err(self.wrong("a leeway of more than 300 s hides a clock that is wrong: set the clock"));
        }
        if self.same_site == SameSite::None && !self.https {
            return Err(self.wrong("browsers refuse `SameSite=None` without `https`: use `Lax`"));
        }
        Ok(())
    }
}
