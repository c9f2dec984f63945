//! A hook that panics has failed, and with it the one request: neither the connection nor what else runs there.
//!
//! In a Worker nothing is caught: there a panic takes the module with it, and requests go on to the origin.

use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Verdict, platform::BoxFuture};
use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
};

/// What the hook decides.
pub(crate) fn decide<'a>(
    hook: &'a dyn Hook,
    request: &'a EdgeRequest<'_>,
    edits: &'a mut Edits,
    platform: &'a dyn Platform,
) -> Verdict<'a> {
    // What it has edited until then is not taken over.
    let deciding = move || {
        let edits = edits;
        hook.decide(request, edits, platform)
    };
    catch_unwind(AssertUnwindSafe(deciding)).unwrap_or_else(|panic| Verdict::Now(Err(panicked(&*panic))))
}

/// What it decides when it has waited.
pub(crate) async fn decided(mut waiting: BoxFuture<'_, Result<Decision, Error>>) -> Result<Decision, Error> {
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| waiting.as_mut().poll(cx)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::Panicked(text.unwrap_or("(no message)").to_owned())
}
