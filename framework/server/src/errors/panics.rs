//! What panics, wherever it is: a render, a server function, a task that either has spawned.

use super::{Errors, Inner, context};
use crate::page::PageCx;
use std::{
    backtrace::Backtrace,
    panic::PanicHookInfo,
    sync::{Arc, Mutex, Once, PoisonError, Weak},
};
use tropos_telemetry::errors::{ErrorReport, Kind, Reporter};

/// Who is told of a panic that belongs to no request: the application that was opened last.
static LAST: Mutex<Weak<Inner>> = Mutex::new(Weak::new());

/// Has panics reported, besides what was done about them before.
pub(super) fn listen(errors: &Errors) {
    let Some(inner) = &errors.0 else { return };
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(inner);
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            report(panic);
            before(panic);
        }));
    });
}

/// The application that was opened last. Without waiting: who panics while it is held would never see the end.
pub(super) fn last() -> Option<Arc<Inner>> {
    LAST.try_lock().ok().and_then(|last| last.upgrade())
}

fn report(panic: &PanicHookInfo<'_>) {
    if Reporter::is_own_thread() {
        return;
    }
    let cx = PageCx::current();
    let of_request = cx.as_ref().and_then(|cx| cx.errors().0.clone());
    let Some(inner) = of_request.or_else(last) else { return };
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let message = match panic.location() {
        Some(place) => format!("{message} ({}:{})", place.file(), place.line()),
        None => message.to_owned(),
    };
    let report = ErrorReport::new(Kind::Panic, "panic", message, inner.reporter.now());
    inner.reporter.report(report, context::of(cx.as_ref()), || Some(Backtrace::force_capture()));
}
